"""Where everything is. A file of JSON, for its owner alone, since the addresses hold passwords:

    {"amqp": "amqp://cloud:PASSWORD@127.0.0.1:5672/%2F", "redis": "redis://127.0.0.1:6379", "db": "postgresql://USER:PASSWORD@HOST/NAME"}

`amqp` may name the nodes of a cluster, with commas between. `db` may be a file: then it is SQLite. Without `redis` there is no
copy, and polls go to the db. `kafka`: HOST:PORT,... of its brokers.
"""
import json
from dataclasses import dataclass, field

import pika

from backend.db import open_db

IMPATIENCE = 0.3  # seconds that Redis has to answer: a user waits behind it


@dataclass
class Settings:
    amqp: str
    db: str
    redis: str = ""
    kafka: str = ""
    db_options: dict = field(default_factory=dict)

    @classmethod
    def of_file(cls, path):
        with open(path) as file:
            return cls(**json.load(file))

    def nodes(self):
        """Of each node of the broker, the parameters of a connection."""
        return [self._parameters(url) for url in self.amqp.split(",")]

    @staticmethod
    def _parameters(url):
        parameters = pika.URLParameters(url)
        parameters.heartbeat = 30
        parameters.socket_timeout = parameters.stack_timeout = 5  # a broker that is frozen takes a connection and says nothing
        parameters.blocked_connection_timeout = 10
        return parameters

    def connect(self):
        """To the first node that lets it in."""
        return pika.BlockingConnection(self.nodes())

    def redis_client(self):
        if not self.redis:
            return None
        import redis  # only who has one
        return redis.Redis.from_url(self.redis, decode_responses=True, socket_timeout=IMPATIENCE, socket_connect_timeout=IMPATIENCE)

    def open_db(self, name="-", **more):
        """`name` is whose work is counted."""
        return open_db(self.db, name, **self.db_options, **more)
