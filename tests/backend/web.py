"""What users and operators see, by HTTP. FastAPI prints its own description: /openapi.json, and /docs in a browser."""
import contextlib
import queue
import time
from typing import List, Optional

import uvicorn
from fastapi import FastAPI, HTTPException, Response
from pydantic import BaseModel

from backend import metrics
from backend.orders import Orders, as_json

PATIENCE = 3  # seconds that a user waits for the db at most
AT_ONCE = 8  # connections to the db


class Order(BaseModel):
    devices: List[str]
    points: Optional[List[str]] = None  # all of the profile
    expires_in: Optional[float] = None  # seconds; without it a command waits for a gateway however long that is away
    callback: Optional[str] = None  # an address that is told the results. A real backend allows its own users' hosts only.


class Device(BaseModel):
    gateway: str
    meter: str


class Pool:
    """Connections to the db, for requests side by side. One that failed is not used again."""

    def __init__(self, open_db):
        self.open_db, self.free = open_db, queue.LifoQueue()
        for _ in range(AT_ONCE):
            self.free.put(None)

    @contextlib.contextmanager
    def db(self):
        try:
            db = self.free.get(timeout=PATIENCE)
        except queue.Empty:
            raise HTTPException(503, "too many requests at once") from None
        try:
            db = db or self.open_db("web", patience=PATIENCE)
            yield db
        except (HTTPException, LookupError):
            raise
        except Exception as error:
            if db is not None:
                with contextlib.suppress(Exception):
                    db.close()
            db = None
            raise HTTPException(503, f"the db does not answer: {type(error).__name__}") from error
        finally:
            self.free.put(db)


def application(backend, queues):
    """`backend` may be None for who only wants the description."""
    web = FastAPI(title="Metergate reference backend", version="0.1.0")
    pool = backend and Pool(backend.settings.open_db)
    redis = backend and backend.settings.redis_client()
    orders = Orders(redis)  # one for all requests: who meets a dead Redis spares the others

    @web.post("/orders", status_code=202)
    def order(wanted: Order):
        """Read devices now. Accepted when it is in the db; poll the address in the answer, once a second."""
        if not wanted.devices:
            raise HTTPException(422, "no devices")
        if wanted.callback is not None and not wanted.callback.startswith(("http://", "https://")):
            raise HTTPException(422, "callback: http:// or https:// is wanted")
        with pool.db() as db:
            try:
                made = db.order(wanted.devices, wanted.points, wanted.expires_in, wanted.callback)
            except LookupError as error:
                raise HTTPException(404, str(error)) from error
        backend.sender.wake()
        return {"order": made, "poll": f"/orders/{made}"}

    @web.get("/orders/{order}")
    def poll(order: str):
        """By device: its result, or null while there is none."""
        with pool.db() as db:
            texts = orders.texts(order, db)
        if not texts:
            raise HTTPException(404, f"no order '{order}'")
        return Response(as_json(order, texts), media_type="application/json")

    @web.get("/devices")
    def devices():
        """Each with its gateway and whether that is online, offline, or silent: said online, then no more."""
        with pool.db() as db:
            there = {gateway: {"state": state, "at": at, "since": since} for gateway, state, at, since in db.presence(time.time())}
            return [{"device": device, "gateway": gateway, "meter": meter, "presence": there.get(gateway)}
                    for device, gateway, meter in db.rows("SELECT device, gateway, meter FROM devices ORDER BY device")]

    @web.put("/devices/{device}", status_code=204, response_class=Response)
    def put_device(device: str, place: Device):
        with pool.db() as db:
            db.rows("INSERT INTO devices VALUES (?, ?, ?) ON CONFLICT (device) DO UPDATE SET gateway = excluded.gateway, "
                    "meter = excluded.meter", device, place.gateway, place.meter)

    @web.get("/gaps")
    def gaps():
        """Numbers that did not come, and why those will not come that are known to be lost."""
        with pool.db() as db:
            lost = db.rows("SELECT gateway, epoch, name, first, last, why FROM lost JOIN lanes ON lanes.lane = lost.lane LIMIT 1000")
            return {"open": [dict(zip(("gateway", "epoch", "lane", "first", "last"), gap)) for gap in db.gaps()[:1000]],
                    "lost": [dict(zip(("gateway", "epoch", "lane", "first", "last", "why"), row)) for row in lost]}

    @web.get("/health")
    def health():
        """503 if the db does not answer. A broker or a Redis that is away is told, and makes no request fail."""
        with pool.db() as db:
            db.rows("SELECT 1")
        return {"db": "up", "broker": "up" if backend.sender.up() else "down", "redis": "up" if orders.up() else "down"}

    @web.get("/metrics", response_class=Response)
    def prometheus():
        with pool.db() as db:
            text = metrics.of_db(db, time.time())
        return Response(text + metrics.of_broker(backend.settings, queues), media_type="text/plain; version=0.0.4")

    return web


def serve(backend, host, port, queues):
    """Until SIGTERM or SIGINT."""
    uvicorn.run(application(backend, queues), host=host, port=port, log_level="warning", timeout_keep_alive=30)
