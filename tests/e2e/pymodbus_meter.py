"""The meter that tests/lib/foreign_meter.py documents, by pymodbus.    pymodbus_meter.py tcp PORT | rtu DEVICE"""
import asyncio
import pathlib
import struct
import sys

from pymodbus.datastore import ModbusSequentialDataBlock, ModbusServerContext, ModbusSlaveContext, ModbusSparseDataBlock
from pymodbus.server import StartAsyncSerialServer, StartAsyncTcpServer

sys.path.insert(1, str(pathlib.Path(__file__).resolve().parents[1] / "lib"))
from peers import FIRST, rtu_framer  # noqa: E402


def registers(data):
    return list(struct.unpack(f">{len(data) // 2}H", data))


def low_first(data):
    return registers(data)[::-1]


async def main():
    inputs = [0] * 40
    inputs[0:2] = registers(struct.pack(">I", 123456789))
    inputs[2:4] = low_first(struct.pack(">f", -1500.25))
    inputs[4:6] = registers(struct.pack(">hH", 2298, 0x8000))
    inputs[8] = 2 | 1 << 8
    inputs[10:18] = registers(b"FM-1/0042".ljust(16))
    inputs[30:34] = low_first(struct.pack(">Q", 9007199254740993))
    meter = ModbusSlaveContext(ir=ModbusSequentialDataBlock(FIRST, inputs), hr=ModbusSparseDataBlock({FIRST + 100: 15}),
                               co=ModbusSparseDataBlock({FIRST + 5: 0}))
    context = ModbusServerContext(slaves={9: meter}, single=False)
    if sys.argv[1] == "tcp":
        await StartAsyncTcpServer(context=context, address=("127.0.0.1", int(sys.argv[2])), ignore_missing_slaves=True)
    else:
        await StartAsyncSerialServer(context=context, port=sys.argv[2], framer=rtu_framer(), baudrate=19200, bytesize=8, parity="N",
                                     stopbits=1, ignore_missing_slaves=True)


asyncio.run(main())
