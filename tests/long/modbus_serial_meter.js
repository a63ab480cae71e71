// The meter that tests/lib/foreign_meter.py documents, by npm's modbus-serial.    node modbus_serial_meter.js PORT
const modbus = require("modbus-serial");

const memory = Buffer.alloc(80);
memory.writeUInt32BE(123456789, 0);
const power = Buffer.alloc(4);
power.writeFloatBE(-1500.25);
power.copy(memory, 4, 2, 4);
power.copy(memory, 6, 0, 2);
memory.writeInt16BE(2298, 8);
memory.writeUInt16BE(0x8000, 10);
memory.writeUInt16BE(2 | (1 << 8), 16);
memory.write("FM-1/0042".padEnd(16), 20, "ascii");
const total = 9007199254740993n;
for (let word = 0; word < 4; ++word) memory.writeUInt16BE(Number((total >> BigInt(16 * word)) & 0xffffn), 60 + 2 * word);
const holding = { 100: 15 };
const coils = { 5: false };

function known(table, address) {
  if (address in table) return table[address];
  throw { modbusErrorCode: 2 };
}

const server = new modbus.ServerTCP({
  getInputRegister: (address) => memory.readUInt16BE(2 * address),
  getHoldingRegister: (address) => known(holding, address),
  getCoil: (address) => known(coils, address),
  setRegister: (address, value) => { known(holding, address); holding[address] = value; },
  setCoil: (address, value) => { known(coils, address); coils[address] = value; },
}, { host: "127.0.0.1", port: Number(process.argv[2]), unitID: 9 });
server.on("socketError", (error) => console.error("socket:", error.message));
