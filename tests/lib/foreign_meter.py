"""A meter model that exists in simulators of other people's libraries only. What follows is all that anybody knows of it:

    Series FM-1. Unit address 9. Registers of 16 bits, numbered from 0; the byte with more weight first.

    Input registers (function 4), at most 20 a request
      0-1    energy, imported       unsigned, 32 bits, word with more weight first, 0.01 kWh
      2-3    power                  IEEE 754 float, word with LESS weight first, W, negative: export
      4      voltage L1             signed, 0.1 V
      5      voltage L2             signed, 0.1 V; 0x8000: not connected
      8      status                 bits 0 and 1: tariff (0 day, 1 night, 2 holiday); bit 8: fault
      10-17  serial number          ASCII, two characters a register, padded with blanks
      30-33  energy since made      unsigned, 64 bits, word with LESS weight first, 1 Wh
    Holding registers (functions 3 and 6)
      100    demand interval        1 to 60 minutes
    Coils (functions 1 and 5)
      5      relay                  0 open, 1 closed

As it is served: 1234567.89 kWh; -1500.25 W; 229.8 V; L2 not connected; holiday, fault; FM-1/0042;
9007199254740993 Wh (a number that no double holds); 15 minutes; relay open.
"""

PROFILE = """[profile]
format = 1
name = FM-1
maker = nobody
model = FM-1
max_registers = 20
[points]
# documentation, "Input registers"
active_energy_import = input 0 u32 scale=0.01 unit=kWh kind=counter
active_power = input 2 f32 order=CDAB unit=W
voltage_l1 = input 4 i16 scale=0.1 unit=V
voltage_l2 = input 5 i16 scale=0.1 unit=V na=0x8000
tariff = input 8 bits bits=0:2 enum=0:day|1:night|2:holiday
fault = input 8 bits bits=8:1
serial_number = input 10 string registers=8
energy_total = input 30 u64 order=CDAB unit=Wh kind=counter
# "Holding registers", "Coils"
interval = holding 100 u16 write=register min=1 max=60 verify=interval after 50ms
relay = coil 5 bits enum=0:open|1:closed write=coil verify=relay after 50ms
"""

SERVED = {"active_energy_import": "1234567.89", "active_power": "-1500.25", "voltage_l1": "229.8", "voltage_l2": None, "tariff": "holiday",
          "fault": "1", "serial_number": "FM-1/0042", "energy_total": "9007199254740993", "interval": "15", "relay": "open"}
