"""What the releases of the libraries that the tests talk through call differently: paho-mqtt 1.6 and 2.1, pymodbus 3.0 and 3.8."""

import paho.mqtt.client as mqtt


def mqtt_client(client_id, clean_session=False):
    """Its callbacks have the parameters of paho-mqtt 1; paho-mqtt 2 takes them so unless it is told otherwise."""
    return mqtt.Client(client_id=client_id, clean_session=clean_session, protocol=mqtt.MQTTv311)


def rtu_framer():
    """For the parameter `framer` of pymodbus's clients and servers."""
    try:
        from pymodbus.framer import FramerType
        return FramerType.RTU
    except ImportError:
        from pymodbus.transaction import ModbusRtuFramer
        return ModbusRtuFramer


FIRST = 1  # the address of a pymodbus block whose first register has the address 0 on the wire


def crc(data):
    """Modbus over Serial Line V1.02, 6.2.2, in the order in which it is sent."""
    value = 0xFFFF
    for byte in data:
        value ^= byte
        for _ in range(8):
            value = value >> 1 ^ (0xA001 if value & 1 else 0)
    return value.to_bytes(2, "little")
