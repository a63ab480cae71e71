#pragma once

#include <cstdlib>
#include <string>
#include <utility>
#include <variant>

namespace metergate {

/// Why something expected to fail sometimes did. The code is the policy: each says what the caller does.
enum class Errc {
  kTimeout,    ///< No answer in time. Ask again later, and never trust the next bytes blindly.
  kCrc,        ///< A damaged answer. Ask again.
  kGarbled,    ///< Bytes that are no answer to the question. Ask again once the line is quiet.
  kException,  ///< The meter answered that it will not; Error::exception is its code. The meter lives.
  kBusDown,    ///< The port or connection is gone. Close, reopen with backoff.
  kPaused,     ///< The bus is lent to another program. Ask again when it is back.
  kInvalid,    ///< The input is wrong and stays wrong. Refuse it, do not repeat.
  kNotFound,   ///< No such thing. Refuse.
  kFull,       ///< No room, nothing was stored. Make room or drop, then tell.
  kStorage,    ///< The store could not say whether it is durable. Treat as unknown.
  kCorrupt,    ///< The store's file is damaged. Set it aside.
  kLocked,     ///< Another process holds it. Give up.
  kOffline,    ///< Not connected. Wait for the connection.
};

struct Error {
  Errc code;
  std::string detail;  ///< For people, never parsed: what, where, what would be right.
  int exception = 0;   ///< With kException: its code, see drivers/bus_error.h.
};

/// Either a value or an Error. Asking for the wrong one is a programming error and aborts.
template <class T>
class [[nodiscard]] Result {
 public:
  Result(T value) : v_(std::move(value)) {}      // NOLINT(google-explicit-constructor)
  Result(Error error) : v_(std::move(error)) {}  // NOLINT(google-explicit-constructor)

  explicit operator bool() const { return v_.index() == 0; }
  T& operator*() { return checked<0>(); }
  const T& operator*() const { return const_cast<Result*>(this)->checked<0>(); }
  T* operator->() { return &checked<0>(); }
  const T* operator->() const { return &**this; }
  const Error& error() const { return const_cast<Result*>(this)->checked<1>(); }

 private:
  template <std::size_t I>
  auto& checked() {
    if (v_.index() != I) std::abort();
    return *std::get_if<I>(&v_);
  }
  std::variant<T, Error> v_;
};

template <>
class [[nodiscard]] Result<void> {
 public:
  Result() = default;
  Result(Error error) : error_(std::move(error)), ok_(false) {}  // NOLINT(google-explicit-constructor)

  explicit operator bool() const { return ok_; }
  const Error& error() const {
    if (ok_) std::abort();
    return error_;
  }

 private:
  Error error_{};
  bool ok_ = true;
};

using Status = Result<void>;

}  // namespace metergate
