#include "tests/store/watched_vfs.h"

#include <sqlite3.h>

#include <cstring>
#include <new>

namespace metergate {

namespace {

struct WatchedFile {
  sqlite3_file base;
  WatchedVfs* owner;
  const char* name;  // SQLite keeps it as long as the file is open
  sqlite3_file* real;
};

WatchedFile* watched(sqlite3_file* file) { return reinterpret_cast<WatchedFile*>(file); }
sqlite3_file* real(sqlite3_file* file) { return watched(file)->real; }

/// SQLITE_OK, SQLITE_FULL, or `failure`.
int judge(WatchedVfs* owner, int failure, const FileOperation& operation) {
  if (!owner->judge) return SQLITE_OK;
  switch (owner->judge(operation)) {
    case WatchedVfs::Verdict::kDone:
      return SQLITE_OK;
    case WatchedVfs::Verdict::kFails:
      return failure;
    case WatchedVfs::Verdict::kNoSpace:
      break;
  }
  return SQLITE_FULL;
}

int judge(sqlite3_file* file, int failure, FileOperation::Kind kind, std::int64_t offset = 0, std::string bytes = {}) {
  const char* name = watched(file)->name;
  return judge(watched(file)->owner, failure,
               FileOperation{kind, name == nullptr ? "" : name, offset, std::move(bytes)});
}

int close(sqlite3_file* file) { return real(file)->pMethods->xClose(real(file)); }
int read(sqlite3_file* file, void* to, int size, sqlite3_int64 offset) {
  return real(file)->pMethods->xRead(real(file), to, size, offset);
}
int write(sqlite3_file* file, const void* bytes, int size, sqlite3_int64 offset) {
  std::string text(static_cast<const char*>(bytes), static_cast<std::size_t>(size));
  const int rc = judge(file, SQLITE_IOERR_WRITE, FileOperation::Kind::kWrite, offset, std::move(text));
  return rc != SQLITE_OK ? rc : real(file)->pMethods->xWrite(real(file), bytes, size, offset);
}
int truncate(sqlite3_file* file, sqlite3_int64 size) {
  const int rc = judge(file, SQLITE_IOERR_TRUNCATE, FileOperation::Kind::kTruncate, size);
  return rc != SQLITE_OK ? rc : real(file)->pMethods->xTruncate(real(file), size);
}
int sync(sqlite3_file* file, int flags) {
  const int rc = judge(file, SQLITE_IOERR_FSYNC, FileOperation::Kind::kSync);
  return rc != SQLITE_OK ? rc : real(file)->pMethods->xSync(real(file), flags);
}
int size(sqlite3_file* file, sqlite3_int64* bytes) { return real(file)->pMethods->xFileSize(real(file), bytes); }
int lock(sqlite3_file* file, int level) { return real(file)->pMethods->xLock(real(file), level); }
int unlock(sqlite3_file* file, int level) { return real(file)->pMethods->xUnlock(real(file), level); }
int check_lock(sqlite3_file* file, int* held) { return real(file)->pMethods->xCheckReservedLock(real(file), held); }
int control(sqlite3_file* file, int what, void* argument) {
  return real(file)->pMethods->xFileControl(real(file), what, argument);
}
int sector(sqlite3_file* file) { return real(file)->pMethods->xSectorSize(real(file)); }
int traits(sqlite3_file* file) { return real(file)->pMethods->xDeviceCharacteristics(real(file)); }

// Version 1, without shared memory: the store does not need any.
const sqlite3_io_methods kMethods = {1,       close,   read,       write,   truncate, sync,   size,
                                     lock,    unlock,  check_lock, control, sector,   traits, nullptr,
                                     nullptr, nullptr, nullptr,    nullptr, nullptr};

WatchedVfs* owner_of(sqlite3_vfs* vfs) { return static_cast<WatchedVfs*>(vfs->pAppData); }
sqlite3_vfs* system_vfs() { return sqlite3_vfs_find("unix"); }

int open(sqlite3_vfs* vfs, const char* name, sqlite3_file* file, int flags, int* out_flags) {
  file->pMethods = nullptr;
  const FileOperation opening{FileOperation::Kind::kOpen, name == nullptr ? "" : name, 0, {}};
  if (const int rc = judge(owner_of(vfs), SQLITE_CANTOPEN, opening); rc != SQLITE_OK) return rc;
  auto* opened = new (file) WatchedFile{};
  opened->owner = owner_of(vfs);
  opened->name = name;
  opened->real = reinterpret_cast<sqlite3_file*>(opened + 1);
  const int rc = system_vfs()->xOpen(system_vfs(), name, opened->real, flags, out_flags);
  if (opened->real->pMethods != nullptr) opened->base.pMethods = &kMethods;
  return rc;
}

int remove(sqlite3_vfs* vfs, const char* name, int sync_folder) {
  const int rc = judge(owner_of(vfs), SQLITE_IOERR_DELETE, FileOperation{FileOperation::Kind::kDelete, name, 0, {}});
  return rc != SQLITE_OK ? rc : system_vfs()->xDelete(system_vfs(), name, sync_folder);
}

}  // namespace

struct WatchedVfs::Impl {
  std::string name;
  sqlite3_vfs vfs;
};

WatchedVfs::WatchedVfs(const std::string& name) : impl_(std::make_unique<Impl>(Impl{name, *system_vfs()})) {
  sqlite3_vfs& vfs = impl_->vfs;
  vfs.szOsFile = static_cast<int>(sizeof(WatchedFile)) + system_vfs()->szOsFile;
  vfs.zName = impl_->name.c_str();
  vfs.pNext = nullptr;
  vfs.pAppData = this;
  vfs.xOpen = open;
  vfs.xDelete = remove;
  sqlite3_vfs_register(&vfs, 0);
}

WatchedVfs::~WatchedVfs() { sqlite3_vfs_unregister(&impl_->vfs); }

}  // namespace metergate
