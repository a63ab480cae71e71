"""Rolls a configuration out to a fleet: one gateway first, then a tenth of them, then all. Each is confirmed only once it
has sent readings of good quality with the new configuration; at the first that came back to its old one, or refused the new
one, nobody else gets it.

What is seen of the fleet comes from `fleet`, an object with
    config(gateway)         the configuration that its last status message names, or None
    send(gateway, command)  publishes a command
    result(command)         its result, or None
    reads_well(gateway, config)   whether readings of good quality came from a process with that configuration, and no other
"""
import time
import uuid


class Outcome:
    DONE, STOPPED = "done", "stopped"

    def __init__(self):
        self.state = None
        self.confirmed = []   # gateways, in the order of their confirmation
        self.failed = {}      # gateway -> status and error code of its result
        self.untouched = []   # those that never got it
        self.waves = []       # how many each wave had


def waves_of(gateways):
    """One, a tenth, the rest."""
    gateways = list(gateways)
    tenth = max(1, len(gateways) // 10)
    cuts = [gateways[:1], gateways[1:1 + tenth], gateways[1 + tenth:]]
    return [wave for wave in cuts if wave]


class Rollout:
    def __init__(self, fleet, text, files=None, confirm_within=60, clock=time.monotonic, sleep=time.sleep, change=None):
        self.fleet, self.text, self.files = fleet, text, files or {}
        self.confirm_within, self.clock, self.sleep = confirm_within, clock, sleep
        self.change = change or (lambda _gateway, command: command)  # what is special to one gateway; signs where it is needed

    def run(self, gateways):
        outcome = Outcome()
        waves = waves_of(gateways)
        for at, wave in enumerate(waves):
            outcome.waves.append(len(wave))
            self.change_wave(wave, outcome)
            if outcome.failed:
                outcome.state = Outcome.STOPPED
                outcome.untouched = [g for later in waves[at + 1:] for g in later]
                return outcome
        outcome.state = Outcome.DONE
        return outcome

    def change_wave(self, wave, outcome):
        open_, base, confirms = {}, {}, {}
        for gateway in wave:
            base[gateway] = self.fleet.config(gateway)
            command = {"id": f"rollout-{uuid.uuid4()}", "op": "configure", "base": base[gateway], "text": self.text,
                       "files": self.files, "confirm_within": f"{self.confirm_within}s"}
            open_[gateway] = command["id"]
            self.fleet.send(gateway, self.change(gateway, command))
        # A gateway needs its own time to come back; beyond that it is counted as failed without an answer.
        end = self.clock() + 2 * self.confirm_within + 60
        while open_ and self.clock() < end:
            for gateway, command in list(open_.items()):
                result = self.fleet.result(command)
                if result:
                    del open_[gateway]
                    if result["status"] == "done":
                        outcome.confirmed.append(gateway)
                    else:
                        outcome.failed[gateway] = (result["status"], result["error"]["code"])
                    continue
                config = self.fleet.config(gateway)
                if config and config != base[gateway] and confirms.get(gateway) != config and self.fleet.reads_well(gateway, config):
                    confirms[gateway] = config
                    self.fleet.send(gateway, {"id": f"confirm-{uuid.uuid4()}", "op": "confirm", "config": config})
            self.sleep(0.1)
        for gateway in open_:
            outcome.failed[gateway] = ("unknown", "no_answer")
