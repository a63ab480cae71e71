"""A Modbus slave that is not ours: pymodbus with units 1 and 2.

    pymodbus_slave.py rtu DEVICE
    pymodbus_slave.py tcp PORT

Each unit has 200 coils, discrete inputs, holding and input registers. A register holds 1000 * unit + its address (input
registers 100 more), a coil or discrete input whether its address is divisible by 3.
"""
import asyncio
import pathlib
import sys

from pymodbus.datastore import ModbusSequentialDataBlock, ModbusServerContext, ModbusSlaveContext
from pymodbus.server import StartAsyncSerialServer, StartAsyncTcpServer

sys.path.insert(1, str(pathlib.Path(__file__).resolve().parents[1] / "lib"))
from peers import FIRST, rtu_framer  # noqa: E402

COUNT = 200


def unit(number):
    bits = [address % 3 == 0 for address in range(COUNT)]
    registers = [1000 * number + address for address in range(COUNT)]
    return ModbusSlaveContext(
        co=ModbusSequentialDataBlock(FIRST, list(bits)),
        di=ModbusSequentialDataBlock(FIRST, list(bits)),
        hr=ModbusSequentialDataBlock(FIRST, list(registers)),
        ir=ModbusSequentialDataBlock(FIRST, [value + 100 for value in registers]))


async def main():
    context = ModbusServerContext(slaves={1: unit(1), 2: unit(2)}, single=False)
    if sys.argv[1] == "rtu":
        await StartAsyncSerialServer(context=context, port=sys.argv[2], framer=rtu_framer(), baudrate=9600,
                                     bytesize=8, parity="N", stopbits=1, ignore_missing_slaves=True)
    else:
        await StartAsyncTcpServer(context=context, address=("127.0.0.1", int(sys.argv[2])),
                                  ignore_missing_slaves=True)


asyncio.run(main())
