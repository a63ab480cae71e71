"""What users poll: in Redis, one hash an order with a field a device. A copy: the db has the truth, and can make it again."""
from backend.db import parse

KEEP = 3600  # seconds


class Orders:
    def __init__(self, redis, db):
        self.redis, self.db = redis, db

    def open(self, order, devices):
        """Before the first command goes out: its result may be here before the publisher's confirm."""
        for device in devices:
            self.redis.hsetnx(f"order:{order}", device, "")
        self.redis.expire(f"order:{order}", KEEP)

    def fill(self, order, device, result):
        """Again and again with the same effect. An order that Redis has forgotten is made again by whoever polls it."""
        if self.redis.exists(f"order:{order}"):
            self.redis.hset(f"order:{order}", device, result)

    def poll(self, order):
        """By device: the result, or None while there is none. An unknown order: {}."""
        fields = self.redis.hgetall(f"order:{order}") or self._from_db(order)
        return {device: parse(result) if result else None for device, result in fields.items()}

    def _from_db(self, order):
        devices = self.db.rows("SELECT device FROM operations WHERE orderid = ?", order)
        if devices:
            self.open(order, [device for device, in devices])  # first the fields, then their content, or one could slip through
        for device, result in self.db.rows("SELECT device, result FROM operations WHERE orderid = ? AND result IS NOT NULL", order):
            self.fill(order, device, result)
        return self.redis.hgetall(f"order:{order}")
