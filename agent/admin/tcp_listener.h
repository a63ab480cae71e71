#pragma once

#include "agent/admin/listener.h"
#include "agent/base/fd.h"
#include "agent/base/log.h"
#include "agent/base/log_throttle.h"
#include "agent/config/endpoint.h"

namespace metergate {

/// Listens at --http. An address that cannot be had (the port is in use, the network is not up yet) is logged and tried
/// again every 10 s.
class TcpListener : public Listener {
 public:
  TcpListener(Endpoint address, Log& log);
  int fd() const override { return fd_.get(); }
  MonoTime step(MonoTime now) override;

 private:
  const Endpoint address_;
  Log& log_;
  LogThrottle throttle_;
  Fd fd_;
  MonoTime next_{MonoTime::min()};
};

}  // namespace metergate
