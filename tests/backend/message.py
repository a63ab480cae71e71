"""What gateways send: records with their exact text, checked before they come near a db."""
import json
import re
from dataclasses import dataclass
from decimal import Decimal

AT = re.compile(r"\d{4}-(0[1-9]|1[0-2])-(0[1-9]|[12]\d|3[01])T([01]\d|2[0-3]):[0-5]\d:[0-5]\d\.\d{3}Z")
LANES = ("readings", "results", "events")


class BadMessage(ValueError):
    pass


def parse(text):
    """A meter's value is an exact decimal: never let it pass through a float."""
    return json.loads(text, parse_float=Decimal)


def ranges(numbers):
    """Ascending numbers as (first, last) of neighbours."""
    first = last = None
    for number in numbers:
        if first is not None and number > last + 1:
            yield first, last
            first = None
        first = number if first is None else first
        last = number
    if first is not None:
        yield first, last


def a_text(value):
    """What goes into a column of a db. A gateway may write anything; a db may refuse it in many ways, or keep it as something else."""
    if not isinstance(value, str) or "\0" in value:
        raise BadMessage(f"not a text: {str(value)[:100]}")
    value.encode()
    return value


@dataclass
class Record:
    """One record of a lane. A lane is (gateway, epoch, name): the part of the record's id before its number."""
    lane: tuple
    number: int
    at: str
    content: dict
    text: str  # as it came: a repeat has the same bytes, though it may be grouped otherwise

    def mentions(self):
        """Other lanes that this record tells something about, by (lane, first, last, why): those numbers are not owed any more."""
        gateway, _epoch, name = self.lane
        content = self.content
        if name == "results" and content.get("op") == "replay":
            for hole in content.get("missing", ()):
                yield (gateway, hole["epoch"], hole["lane"]), hole["from_seq"], hole["to_seq"], hole["why"]
        if name == "events" and content["event"] == "records_dropped":
            detail = content["detail"]
            yield (gateway, detail["epoch"], detail["lane"]), detail["from_seq"], detail["to_seq"], "dropped"
        if name == "events" and content["event"] == "started":
            before = content["detail"]["previous"] or {"last": {}}
            for lane, last in before["last"].items():  # only now a loss at the end of that epoch can be seen
                if last is not None:
                    yield (gateway, before["epoch"], lane), last + 1, last, None


def records_of(gateway, text):
    """The records of a message on a topic of `gateway`. All are good, or the message is a BadMessage."""
    decoder = json.JSONDecoder(parse_float=Decimal)
    found = []
    try:
        at = text.index("[", text.index('"records"')) + 1
        while text[at] != "]":
            content, end = decoder.raw_decode(text, at)
            found.append(_checked(gateway, content, text[at:end]))
            at = end + 1 if text[end] == "," else end
    except BadMessage:
        raise
    except (ValueError, LookupError, TypeError, AttributeError, RecursionError) as error:
        raise BadMessage(f"not a message of records: {type(error).__name__}: {error}") from error
    return found


def _checked(gateway, content, text):
    try:
        owner, epoch, name, number = content["id"].split("/")
        number = int(number)
    except (TypeError, KeyError, ValueError, AttributeError) as error:
        raise BadMessage(f"a record without a proper id: {text[:100]}") from error
    if owner != gateway:  # the broker vouches for the topic only, not for what a gateway writes into its messages
        raise BadMessage(f"a record of {owner} on a topic of {gateway}")
    if name not in LANES or not 0 < number < 2**53:
        raise BadMessage(f"no such lane or number: {content['id']}")
    if not isinstance(content["at"], str) or not AT.fullmatch(content["at"]):
        raise BadMessage(f"{content['id']}: 'at' is no time")
    if "\\u" in text:  # a db takes neither half a character nor a zero byte
        whole = json.dumps(content, ensure_ascii=False, default=str)
        whole.encode()
        if "\\u0000" in whole:
            raise BadMessage(f"{content['id']}: a zero byte in a text")
    record = Record((gateway, epoch, name), number, content["at"], content, text)
    for value in content.get("values", {}).values():
        if isinstance(value, Decimal) and abs(value.adjusted()) > 400:
            raise BadMessage(f"{content['id']}: {value} is no quantity")
    for lane, first, last, why in record.mentions():
        a_text(lane[1]), a_text(why or "")
        if lane[2] not in LANES or not (isinstance(first, int) and isinstance(last, int) and 0 < first <= last + 1 < 2**53):
            raise BadMessage(f"{content['id']}: no such lane or number: {lane[2]} {first} to {last}")
    if name == "results":
        a_text(content["command"])
    return record
