#include "store/sqlite/file_store.h"

#include <algorithm>
#include <utility>

#include "store/sqlite/process_lock.h"
#include "store/sqlite/store_worker.h"

namespace metergate {

namespace {

constexpr std::int64_t kSmallestCap = 8 << 20;
constexpr std::size_t kDeadBytes = 4096;
constexpr std::size_t kDeadTextBytes = 512;
constexpr std::int64_t kRecordOverhead = 256;  // id and row, beside the body

std::int64_t size_of(const Draft& draft) {
  return static_cast<std::int64_t>(draft.body.size() + draft.meter.size()) + kRecordOverhead;
}

/// The calls of all threads: each is put into the queue, and waited for where it gives an answer.
class FileStoreImpl final : public FileStore {
 public:
  FileStoreImpl(StoreSettings settings, RecordFormat format, ProcessLock lock, FileSystem& files, const Clock& clock,
                Log& log)
      : settings_(std::move(settings)),
        format_(std::move(format)),
        clock_(clock),
        lock_(std::move(lock)),
        worker_(settings_, format_, files, clock, log, queue_) {}

  Status open() {
    auto opened = worker_.open();
    if (!opened) return opened.error();
    opened_ = std::move(*opened);
    if (opened_.origin != StoreOrigin::kReplaced && !worker_.knows(lock_.epoch())) opened_.gone_epoch = lock_.epoch();
    return {};
  }

  const Opened& opened() const override { return opened_; }

  Status begin(const std::string& epoch, Draft started, Hooks hooks) override {
    wake_ = hooks.work;
    return worker_.begin(epoch, started, std::move(hooks));
  }

  void gone_is_told(const std::string& epoch) override { lock_.note_epoch(epoch); }

  MonoTime step(MonoTime now) override { return worker_.step(now); }
  Status finish() override { return worker_.finish(); }

  void append(std::vector<Draft> drafts) override {
    const MonoTime now = clock_.mono();
    bool earlier = false;
    for (Draft& draft : drafts) {
      WriteRequest request;
      request.due = draft.lane == Lane::kReadings ? now + settings_.commit_every : now;
      request.spare = draft.lane != Lane::kResults;
      request.bytes = size_of(draft);
      request.record = std::move(draft);
      earlier = queue_.push(std::move(request)) || earlier;
    }
    if (earlier) wake();
  }

  Result<Batch> peek(Lane lane, std::int64_t after, std::size_t max_rows, std::size_t max_bytes) override {
    return read<Batch>([=](Database& db) { return db.peek(lane, after, max_rows, max_bytes, clock_.utc()); });
  }
  Result<std::vector<Row>> fetch(const std::vector<std::int64_t>& keys) override {
    return read<std::vector<Row>>([keys](Database& db) { return db.fetch(keys); });
  }
  void sent(Lane lane, std::int64_t key) override { move(&Cursors::sent, lane, key); }
  void delivered(Lane lane, std::int64_t key) override { move(&Cursors::delivered, lane, key); }
  Result<Receipted> receipt(const Receipt& receipt, std::int64_t published) override {
    const std::int64_t delivered = queue_.cursors().delivered[index_of(receipt.lane)];
    auto done = read<Receipted>([=](Database& db) { return db.receipt(receipt, published, delivered); });
    if (done) move(&Cursors::delivered, receipt.lane, done->delivered);
    return done;
  }
  Result<std::int64_t> sent_key(Lane lane) override {
    const Cursors cursors = queue_.cursors();
    return std::max(cursors.sent[index_of(lane)], cursors.delivered[index_of(lane)]);
  }
  Result<std::int64_t> delivered_key(Lane lane) override { return queue_.cursors().delivered[index_of(lane)]; }
  StoreState state() override { return queue_.state(); }

  Result<ReplayPiece> search(const ReplayWish& wish, const ReplayPlace& place, std::size_t max_rows,
                             std::size_t max_bytes) override {
    return read<ReplayPiece>([=](Database& db) { return db.search(wish, place, max_rows, max_bytes); });
  }

  Result<Admission> admit(const StoredCommand& command, std::optional<Draft> verdict) override {
    const auto found = std::make_shared<Admission>();
    WriteRequest request;
    request.bytes =
        static_cast<std::int64_t>(command.body.size()) + 2 * kRecordOverhead + (verdict ? size_of(*verdict) : 0);
    request.change = [found, command, verdict](Database& db) -> Status {
      auto admitted = db.admit(command, verdict);
      if (!admitted) return admitted.error();
      *found = *admitted;
      return {};
    };
    request.refuse = [command](Database& db) { db.refuse(command); };
    const Status done = write(std::move(request));
    if (!done && done.error().code == Errc::kFull) queue_.refuse_command();
    if (!done) return done.error();
    return *found;
  }
  bool only_reserve_left() override { return queue_.only_reserve_left(); }

  Result<std::vector<StoredCommand>> open_commands(const std::string& bus, std::int64_t after,
                                                   std::size_t max) override {
    return read<std::vector<StoredCommand>>([=](Database& db) { return db.open_commands(bus, after, max); });
  }
  Result<std::vector<std::string>> open_buses() override {
    return read<std::vector<std::string>>([](Database& db) { return db.open_buses(); });
  }

  Status started(std::int64_t key) override {
    WriteRequest request;
    request.bytes = kRecordOverhead;
    request.change = [key](Database& db) -> Status {
      if (db.mark_started(key)) return {};
      return Error{Errc::kNotFound, "command " + std::to_string(key) + " is not open"};
    };
    return write(std::move(request));
  }

  void complete(std::int64_t key, Draft result) override {
    WriteRequest request;
    request.due = clock_.mono();
    request.bytes = size_of(result);
    request.change = [key, result = std::move(result)](Database& db) -> Status {
      db.complete(key, result);
      return {};
    };
    if (queue_.push(std::move(request))) wake();
  }

  void dead_letter(std::string topic, std::string why, std::string payload, UtcTime at) override {
    topic.resize(std::min(topic.size(), kDeadTextBytes));
    why.resize(std::min(why.size(), kDeadTextBytes));
    payload.resize(std::min(payload.size(), kDeadBytes));
    WriteRequest request;
    request.due = clock_.mono() + settings_.commit_every;
    request.spare = true;
    request.bytes = static_cast<std::int64_t>(topic.size() + why.size() + payload.size()) + kRecordOverhead;
    request.change = [topic, why, payload, at](Database& db) -> Status {
      db.add_dead_letter(at, topic, why, payload);
      return {};
    };
    if (queue_.push(std::move(request))) wake();
  }

  Result<std::optional<std::string>> get(const std::string& key) override {
    if (auto waiting = queue_.value(key)) return waiting;
    return read<std::optional<std::string>>([key](Database& db) { return db.get(key); });
  }
  Status put(const std::string& key, const std::string& value) override {
    if (!queue_.put(key, value, clock_.mono())) return Error{Errc::kFull, "too many values wait for the store"};
    return write(WriteRequest{});
  }
  void put_later(const std::string& key, const std::string& value) override {
    if (queue_.put(key, value, clock_.mono() + settings_.commit_every)) wake();
  }

  Result<StorePage<DropEntry>> drops(std::int64_t after) override {
    return read<StorePage<DropEntry>>([after](Database& db) { return db.drops(after); });
  }
  Result<StorePage<DeadEntry>> dead_letters(std::int64_t after) override {
    return read<StorePage<DeadEntry>>([after](Database& db) { return db.dead_letters(after); });
  }
  Result<StorePage<CommandEntry>> commands(std::int64_t after) override {
    return read<StorePage<CommandEntry>>([after](Database& db) { return db.commands(after); });
  }
  Result<StorePage<RecordEntry>> records(const RecordSpan& span, std::int64_t after) override {
    return read<StorePage<RecordEntry>>([span, after](Database& db) { return db.records(span, after); });
  }

  Result<bool> knows_epoch(const std::string& epoch) override {
    return read<bool>([epoch](Database& db) { return db.knows_epoch(epoch); });
  }
  Status add_catalog(const std::string& hash, const std::string& bytes) override {
    const Quota quota(settings_.max_bytes);
    if (static_cast<std::int64_t>(bytes.size()) > quota.catalog_bytes) {
      return Error{Errc::kInvalid, "a catalog of " + std::to_string(bytes.size()) +
                                       " bytes is too large for a store of " + std::to_string(settings_.max_bytes) +
                                       "; at most " + std::to_string(quota.catalog_bytes) +
                                       " fit, give it a larger --store-max-size"};
    }
    WriteRequest request;
    request.bytes = static_cast<std::int64_t>(bytes.size()) + kRecordOverhead;
    request.change = [hash, bytes](Database& db) -> Status {
      db.add_catalog(hash, bytes);
      return {};
    };
    return write(std::move(request));
  }
  Result<std::vector<std::string>> catalogs_waiting() override {
    return read<std::vector<std::string>>([](Database& db) { return db.catalogs_waiting(); });
  }
  Result<std::optional<std::string>> catalog(const std::string& hash) override {
    return read<std::optional<std::string>>([hash](Database& db) { return db.catalog(hash); });
  }

 private:
  void wake() {
    if (wake_) {
      wake_();
    } else {
      worker_.step(clock_.mono());  // before begin() the caller is the store's thread
    }
  }

  template <class T>
  Result<T> read(std::function<Result<T>(Database&)> body) {
    const auto found = std::make_shared<std::optional<T>>();
    const auto completion = std::make_shared<Completion>();
    queue_.push(ReadRequest{[found, body](Database& db) -> Status {
                              Result<T> result = body(db);
                              if (!result) return result.error();
                              *found = std::move(*result);
                              return {};
                            },
                            completion});
    wake();
    const Status done = completion->wait(settings_.patience);
    if (!done) return done.error();
    return std::move(**found);
  }

  Status write(WriteRequest request) {
    const auto completion = std::make_shared<Completion>();
    request.completion = completion;
    request.due = clock_.mono();
    queue_.push(std::move(request));
    wake();
    return completion->wait(settings_.patience);
  }

  void move(Counters::PerLane Cursors::*which, Lane lane, std::int64_t key) {
    if (queue_.move(which, lane, key, clock_.mono() + settings_.commit_every)) wake();
  }

  const StoreSettings settings_;
  const RecordFormat format_;
  const Clock& clock_;
  ProcessLock lock_;
  Opened opened_;
  std::function<void()> wake_;  // set by begin(), before there are other threads
  CommitQueue queue_;
  StoreWorker worker_;
};

}  // namespace

Result<std::unique_ptr<FileStore>> FileStore::open(StoreSettings settings, RecordFormat format, FileSystem& files,
                                                   const Clock& clock, Log& log) {
  if (settings.max_bytes < kSmallestCap) {
    return Error{Errc::kInvalid,
                 "a store of " + std::to_string(settings.max_bytes) + " bytes is too small; at least 8MiB"};
  }
  auto lock = ProcessLock::take(settings.path);
  if (!lock) return lock.error();
  auto store =
      std::make_unique<FileStoreImpl>(std::move(settings), std::move(format), std::move(*lock), files, clock, log);
  if (Status opened = store->open(); !opened) return opened.error();
  return std::unique_ptr<FileStore>(std::move(store));
}

}  // namespace metergate
