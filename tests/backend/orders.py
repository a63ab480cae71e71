"""What users poll: in Redis, one hash an order with a field a device. A copy that may be lost or late: the db has the truth."""
import json
import logging
import time

from backend.message import parse

KEEP = 3600  # seconds
FRESH = 3  # seconds that an incomplete copy is believed; then one poll of all looks into the db
LEAVE_ALONE = 5.0  # seconds after an error
LOG = logging.getLogger(__name__)


def as_json(order, texts):
    """An order's answer, with the results as they came."""
    results = ",".join(f"{json.dumps(device)}:{text or 'null'}" for device, text in texts.items())
    return f'{{"order":{json.dumps(order)},"complete":{json.dumps(all(texts.values()))},"results":{{{results}}}}}'


class Orders:
    """`redis` is a client with short timeouts, or None. Nobody ever waits for it twice, and no error of it goes further."""

    def __init__(self, redis, db=None):
        self.redis, self.db, self.not_before = redis, db, 0.0

    def fill(self, answers):
        """After the acknowledgement. Only what is asked about is there: an order that nobody polls needs no copy."""
        self._try(self._fill, [answer for answer in answers if answer[0] is not None])

    def poll(self, order):
        """By device: the result, or None while there is none. An unknown order: {}."""
        return {device: parse(text) if text else None for device, text in self.texts(order, self.db).items()}

    def texts(self, order, db):
        """The same as text, each value with every digit."""
        fields = self._try(self._copy, order)
        if not fields:
            fields = db.answers(order)
            self._try(self._keep, order, fields)
        return fields

    def up(self):
        return bool(self._try(lambda: self.redis.ping()))

    def _fill(self, answers):
        for order, device, result in answers:
            if self.redis.exists(f"order:{order}"):
                self.redis.hset(f"order:{order}", device, result)

    def _copy(self, order):
        """What Redis has, unless it may have missed something: then the first poll of each FRESH seconds gets nothing."""
        fields = self.redis.hgetall(f"order:{order}")
        if not all(fields.values()) and self.redis.set(f"checked:{order}", "", ex=FRESH, nx=True):
            return {}
        return fields

    def _keep(self, order, fields):
        """First the fields, then their content: a result that comes in between is not lost. A result never changes."""
        for device, result in fields.items():
            self.redis.hsetnx(f"order:{order}", device, "")
            if result:
                self.redis.hset(f"order:{order}", device, result)
        if fields:
            self.redis.expire(f"order:{order}", KEEP)
            self.redis.set(f"checked:{order}", "", ex=FRESH, nx=True)

    def _try(self, action, *args):
        if self.redis is None or time.monotonic() < self.not_before:
            return None
        try:
            return action(*args)
        except Exception as error:  # whatever a client of Redis raises; the copy is not worth a reading
            LOG.warning("redis: %r; left alone for %.0f s", error, LEAVE_ALONE)
            self.not_before = time.monotonic() + LEAVE_ALONE
            return None
