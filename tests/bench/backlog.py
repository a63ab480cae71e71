"""A long outage: readings of 20 points pile up, the agent starts on them, the broker comes back."""
import json
import struct
import subprocess
import time

from surroundings import BUILD, Cost, Lab, free_port, gateway, wait_for
from peers import mqtt_client

SAMPLE = 20_000  # readings whose messages the bare publisher sends over and over
WINDOW = 16      # --max-inflight


def fill(store, count):
    begin = time.monotonic()
    subprocess.run([BUILD / "tests" / "store" / "fill_store", store, "gw", str(count)], check=True)
    return time.monotonic() - begin


def start(lab, port, broker_port):
    agent = lab.agent("--gateway-id", "gw", "--profile-dir", lab.folder, "--upstream", f"mqtt://127.0.0.1:{broker_port}",
                      "--bus", f"name=b,tcp=127.0.0.1:{port}", "--meter", "id=m,bus=b,unit=1,profile=bench,every=1s",
                      "--store", lab.folder / "metergate.db", "--store-max-size", "2GiB", "--max-inflight", WINDOW,
                      "--backoff-max", "1s", "--trust-clock")
    return agent


def sample_messages(folder):
    """The very messages of a short backlog, in the form that the bare publisher reads."""
    lab = Lab()
    try:
        broker, path = lab.broker(), folder / "messages"
        gateway(lab, broker)
        fill(lab.folder / "metergate.db", SAMPLE)
        records = [0]
        with open(path, "wb") as out:
            client = mqtt_client("sample", clean_session=True)

            def keep(_client, _userdata, message):
                count = len(json.loads(message.payload)["records"])
                if records[0] < SAMPLE:
                    out.write(struct.pack("=I", len(message.payload)) + message.payload)
                    records[0] += count

            client.on_message = keep
            client.on_connect = lambda c, *_: c.subscribe("metergate/gw/readings", 1)
            client.connect("127.0.0.1", broker.port)
            client.loop_start()
            start(lab, free_port(), broker.port)
            wait_for("the messages", 60, lambda: records[0] >= SAMPLE)
            client.loop_stop()
        return path, records[0]
    finally:
        lab.close()


def bare_publisher(lab, port, path, records, wanted):
    """Seconds that Paho alone takes for as many records."""
    times = max(1, round(wanted / records))
    with open(path, "rb") as messages:
        done = subprocess.run([BUILD / "tests" / "bench" / "publisher", str(port), str(WINDOW), str(times)], stdin=messages,
                              stdout=subprocess.PIPE, check=True)
    return json.loads(done.stdout)["seconds"] * wanted / (records * times)


def backlog(count):
    lab = Lab()
    try:
        path, sampled = sample_messages(lab.folder)
        store = lab.folder / "metergate.db"
        append_s = fill(store, count)
        size = store.stat().st_size
        port, broker_port = free_port(), free_port()
        lab.sim("--tcp", port, "--meters", "1")
        lab_broker = type("B", (), {"port": broker_port})
        gateway(lab, lab_broker)
        begin = time.monotonic()
        agent = start(lab, port, broker_port)
        wait_for("the socket", 60, lambda: agent.control.exists())
        answers_s = time.monotonic() - begin
        wait_for("the first poll", 60, lambda: agent.ask()["buses"][0]["meters"][0]["good"] > 0)
        first_poll_s = time.monotonic() - begin
        cost, resident = Cost(agent), []
        resident.append(cost.memory_mib()[0])
        broker = lab.broker(port=broker_port)
        wait_for("the connection", 30, lambda: agent.ask()["uplink"]["connected"])
        begin = time.monotonic()
        while agent.ask()["store"]["readings"]["waiting"] > 10:
            resident.append(cost.memory_mib()[0])
            time.sleep(0.5)
            if time.monotonic() - begin > 1800:
                raise AssertionError("the backlog does not drain")
        drain_s = time.monotonic() - begin
        missed = agent.ask()["buses"][0]["meters"][0]["slots_missed"]
        bare_s = bare_publisher(lab, broker.port, path, sampled, count)
        return {"store_mb": round(size / 1e6), "append_per_s": round(count / append_s), "start_to_socket_s": round(answers_s, 2),
                "start_to_first_poll_s": round(first_poll_s, 2), "drain_per_s": round(count / drain_s),
                "bare_publisher_per_s": round(count / bare_s), "drain_of_bare_percent": round(100 * bare_s / drain_s, 1),
                "rss_mib_first": resident[0], "rss_mib_most": max(resident), "rss_mib_last": resident[-1],
                "disk_bytes_in_per_reading": round(size / count), "disk_bytes_out_per_reading": round(cost.bytes_written() / count, 1),
                "slots_missed": missed}
    finally:
        lab.close()
