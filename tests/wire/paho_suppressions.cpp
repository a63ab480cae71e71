// What sanitizers say of Paho, which is not built with them.

extern "C" const char* __lsan_default_suppressions();  // NOLINT(bugprone-reserved-identifier)
extern "C" const char* __tsan_default_suppressions();  // NOLINT(bugprone-reserved-identifier)

// One message at most each time that a client goes before it has written it: freed by nobody.
extern "C" const char* __lsan_default_suppressions() { return "leak:libpaho-mqtt3as"; }

// The counts of its shared pointers, which are atomic, are not seen; so it looks as if tokens and messages went too
// early.
extern "C" const char* __tsan_default_suppressions() {
  return "race:mqtt::async_client::remove_token\n"
         "race:mqtt::token::~token\n"
         "race:mqtt::delivery_token::~delivery_token\n"
         "race:_M_release_last_use\n";
}
