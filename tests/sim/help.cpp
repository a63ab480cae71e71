#include "tests/sim/options.h"

namespace metersim {

const char* const kHelp = R"(metersim: Modbus meters on paced lines, for tests, demos and measurements

lines (repeatable; all carry the same meters; TCP listens on 127.0.0.1 alone, port 0 takes a free one)
  --pty LINKPATH           a pseudo terminal, LINKPATH being a symbolic link to it; needs --baud
  --tcp PORT               Modbus TCP; with --tcp-endpoints N also the N-1 ports behind it
  --rtu-tcp PORT           RTU frames over TCP, paced if --baud is given
  --baud B --mode 8N1      what a byte takes on the line: 8N1, 8N2, 8E1 or 8O1
  --heed-baud              a pty whose user has set it to another baud is not heard (parity does not show on a pty)
  --lenient                answer requests, too, that come before t3.5 of silence (they are counted either way)
  --fifo N                 hand answers over N bytes at a time (default 1)

meters
  --meter unit=1,profile=FILE.ini[,turn=20ms][,holes=no][,align=yes]
                           the points of a profile with plausible, slowly moving values. Other registers between its points read 0,
                           as far as the profile's `hole` goes; holes=no: exception 2. align=yes: a read that cuts a point in two is
                           exception 2. More than the profile's max_registers is exception 3.
  --meter address=161,profile=FILE.ini[,turn=20ms][,fe=4][,blocks=no][,parts=BYTES][,bit5=yes][,skew=SECONDS]
          [,password=000000][,stuck=yes]
                           a DL/T 645 meter, on ptys and RTU over TCP, which answers by its address, AA AA .. and 61 AA ..; fe: the FEs
                           before an answer; blocks=no: error 02 to items that give several; parts: value bytes a frame, the rest is
                           asked for; bit5: events are announced by the bit for more data; skew: its clock is ahead.
                           Its relay obeys (stuck: does not, but says so) to the password, whatever the level; the third wrong one locks it. It is unit 1000,
                           1001 ... in the log. Answers of several meters to one request damage each other
  --meters 1-10            plain register maps, of --registers [TABLE:]A-B (repeatable; default 0-199, all four tables)
  --values address|unit    what they hold: their own address; 256 * unit + low byte of the address. `counter`: as address, with
                           --counter holding:0
  --counter TABLE:ADDRESS  two registers of every meter that hold 10000000 * unit + n, n growing by one with each read of both
  --turn 5ms               from the end of a request to the start of the answer (never less than t3.5)
  --replay FILE            what `metergate trace BUS --format jsonl` saw of a bus: to each request of the trace what came behind it there,
                           noise and late answers too, after as long; to the same request again what came then
  FC 1 to 6, 15 and 16. What is written stays.

what is told
  --log FILE [--log-values]  one JSON object a line: at_ms (wall clock), mono_ns, kind (request, violation, reply, late, dropped, foreign,
                           garbage, control), n (joins a request and its answer), line, unit, function, address, count, counter,
                           values (by point, before transformer ratios; of a write by address); gap_us: silence before the request;
                           start_ns: first byte of the answer; why it was dropped
  --stats FILE             one JSON object, at exit and at SIGUSR1
  stdout                   `ready pty LINKPATH`, `ready tcp PORT` ..., one a line

faults (--fault COMMAND at start, or a datagram to --control PATH, a unix socket, answered with `ok` or `error: ...`)
  late=EVERY:MS            each EVERYth answer MS late; the next ones queue behind it, or with --late-drop replace it
  drop=EVERY corrupt=EVERY noise=EVERY foreign=EVERY second=EVERY
                           the answer is lost, has a wrong bit (TCP: a wrong transaction), comes after a stray byte, after another unit's;
                           on a paced line: after a second master asked the same unit for as many registers elsewhere and was answered
  bytewise=MS              silence before each byte of an answer
  exception=UNIT:CODE[:FUNCTION]   unit 0: all      silent=UNIT   does nothing, says nothing      any of these =off
  hold release             no unit does anything
  unplug[=N] plug[=N]      all lines, or the Nth from 0, ptys first, then TCP, then RTU over TCP
  error=ADDRESS:ITEM:BITS  an error word instead of an item (hex digits); 0: no more
  set=UNIT:TABLE:ADDRESS:VALUE[:VALUE...]  unset=UNIT      registers fixed, whatever the values do
  stats reset              the statistics as the answer; to zero

  --die-with-parent        SIGTERM when the starting process ends
)";

}  // namespace metersim
