#!/usr/bin/env python3
"""read_by_document.py [TOOL] - a reader of knackdb directories made from docs/FORMAT.md and nothing else.

If the document says enough, a program that shares no line with the engine reads the same rows. So this one, in plain
Python with XXH3-64 and LZ4 written out, checks every checksum the document names, loads the parts, replays the log, and
is compared with what the tool dumps: with a log alone, with a snapshot alone, with both, with long texts, with real rows."""

import json
import os
import pathlib
import random
import shutil
import struct
import subprocess
import sys
import tempfile
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1]))
from counted import run_tests

MASK = (1 << 64) - 1

# ---- XXH3-64, after the algorithm's specification (xxHash 0.8) ----

SECRET = bytes.fromhex(
    "b8fe6c3923a44bbe7c01812cf721ad1cded46de9839097db7240a4a4b7b3671fcb79e64eccc0e578825ad07dccff7221b8084674f743248e"
    "e03590e6813a264c3c2852bb91c300cb88d0658b1b532ea371644897a20df94e3819ef46a9deacd8a8fa763fe39c343ff9dcbbc7c70b4f1d"
    "8a51e04bcdb45931c89f7ec9d9787364eac5ac8334d3ebc3c581a0fffa1363eb170ddd51b7f0da49d316552629d4689e2b16be587d47a1fc"
    "8ff8b8d17ad031ce45cb3a8f95160428afd7fbcabb4b407e")
P32_1, P32_2, P32_3 = 0x9E3779B1, 0x85EBCA77, 0xC2B2AE3D
P64_1, P64_2, P64_3 = 0x9E3779B185EBCA87, 0xC2B2AE3D27D4EB4F, 0x165667B19E3779F9
P64_4, P64_5 = 0x85EBCA77C2B2AE63, 0x27D4EB2F165667C5
MX1, MX2 = 0x165667919E3779F9, 0x9FB21C651E98DF25


def u32(data, at=0):
    return int.from_bytes(data[at:at + 4], "little")


def u64(data, at=0):
    return int.from_bytes(data[at:at + 8], "little")


def fold(a, b):
    product = a * b
    return (product & MASK) ^ (product >> 64)


def swap64(x):
    return int.from_bytes(x.to_bytes(8, "little"), "big")


def rotl64(x, r):
    return ((x << r) | (x >> (64 - r))) & MASK


def avalanche(h):
    h ^= h >> 37
    h = h * MX1 & MASK
    return h ^ (h >> 32)


def xxh64_avalanche(h):
    h = (h ^ (h >> 33)) * P64_2 & MASK
    h = (h ^ (h >> 29)) * P64_3 & MASK
    return h ^ (h >> 32)


def mix16(data, at, secret_at, seed):
    return fold(u64(data, at) ^ ((u64(SECRET, secret_at) + seed) & MASK),
                u64(data, at + 8) ^ ((u64(SECRET, secret_at + 8) - seed) & MASK))


def xxh3(data, seed=0):
    n = len(data)
    if n == 0:
        return xxh64_avalanche(seed ^ u64(SECRET, 56) ^ u64(SECRET, 64))
    if n <= 3:
        combined = data[0] << 16 | data[n >> 1] << 24 | data[n - 1] | n << 8
        return xxh64_avalanche(combined ^ ((u32(SECRET, 0) ^ u32(SECRET, 4)) + seed & MASK))
    if n <= 8:
        seed ^= int.from_bytes((seed & 0xFFFFFFFF).to_bytes(4, "little"), "big") << 32
        keyed = ((u32(data, n - 4) + (u32(data, 0) << 32)) & MASK) ^ ((u64(SECRET, 8) ^ u64(SECRET, 16)) - seed & MASK)
        h = keyed ^ rotl64(keyed, 49) ^ rotl64(keyed, 24)
        h = h * MX2 & MASK
        h ^= (h >> 35) + n
        h = h * MX2 & MASK
        return h ^ (h >> 28)
    if n <= 16:
        low = u64(data, 0) ^ ((u64(SECRET, 24) ^ u64(SECRET, 32)) + seed & MASK)
        high = u64(data, n - 8) ^ ((u64(SECRET, 40) ^ u64(SECRET, 48)) - seed & MASK)
        return avalanche((n + swap64(low) + high + fold(low, high)) & MASK)
    if n <= 128:
        total = n * P64_1
        for i in range((n - 1) // 32, -1, -1):
            total += mix16(data, 16 * i, 32 * i, seed) + mix16(data, n - 16 * (i + 1), 32 * i + 16, seed)
        return avalanche(total & MASK)
    if n <= 240:
        total = n * P64_1
        for i in range(8):
            total += mix16(data, 16 * i, 16 * i, seed)
        total = avalanche(total & MASK)
        for i in range(8, n // 16):
            total += mix16(data, 16 * i, 16 * (i - 8) + 3, seed)
        total += mix16(data, n - 16, 136 - 17, seed)
        return avalanche(total & MASK)
    return xxh3_long(data, seed)


def xxh3_long(data, seed):
    secret = b"".join((u64(SECRET, at) + (seed if at % 16 == 0 else -seed) & MASK).to_bytes(8, "little")
                      for at in range(0, 192, 8)) if seed else SECRET
    keys = struct.unpack("<24Q", secret)
    lanes = [P32_3, P64_1, P64_2, P64_3, P64_4, P32_2, P64_5, P32_1]

    def accumulate(words, key):
        for i in range(8):
            mixed = words[i] ^ key[i]
            lanes[i ^ 1] = lanes[i ^ 1] + words[i] & MASK
            lanes[i] = lanes[i] + (mixed & 0xFFFFFFFF) * (mixed >> 32) & MASK

    stripes = (len(data) - 1) // 64
    stripe = struct.Struct("<8Q")
    for number in range(stripes):
        place = number % 16
        accumulate(stripe.unpack_from(data, 64 * number), keys[place:place + 8])
        if place == 15:
            for i in range(8):
                lane = lanes[i] ^ (lanes[i] >> 47) ^ keys[16 + i]
                lanes[i] = lane * P32_1 & MASK
    accumulate(stripe.unpack_from(data, len(data) - 64), struct.unpack_from("<8Q", secret, 192 - 64 - 7))
    total = len(data) * P64_1
    for i in range(4):
        total += fold(lanes[2 * i] ^ u64(secret, 11 + 16 * i), lanes[2 * i + 1] ^ u64(secret, 11 + 16 * i + 8))
    return avalanche(total & MASK)


def lz4(data, raw_bytes):
    out, at = bytearray(), 0
    while at < len(data):
        token = data[at]
        at += 1
        length = token >> 4
        while length >= 15 and (length - 15) % 255 == 0:
            length += data[at]
            at += 1
            if data[at - 1] != 255:
                break
        out += data[at:at + length]
        at += length
        if at == len(data):
            break
        distance = data[at] | data[at + 1] << 8
        at += 2
        length = token & 15
        while length >= 15 and (length - 15) % 255 == 0:
            length += data[at]
            at += 1
            if data[at - 1] != 255:
                break
        length += 4
        start = len(out) - distance
        for i in range(length):
            out.append(out[start + i])
    assert len(out) == raw_bytes
    return bytes(out)


# ---- docs/FORMAT.md ----

GOLDEN = 0x9E3779B97F4A7C15


class Fields:
    def __init__(self, data, at=0):
        self.data, self.at = data, at

    def take(self, n):
        assert self.at + n <= len(self.data)
        self.at += n
        return self.data[self.at - n:self.at]

    def number(self, n, signed=False):
        return int.from_bytes(self.take(n), "little", signed=signed)

    def name(self):
        return self.take(self.number(1)).decode()


def check_head(data, magic, head_bytes, version=1):
    assert data[:8] == magic
    assert u32(data, 8) == version, "the format, and zero"
    assert u64(data, 24) == 0, "no incompatible flag is known"
    checksum = u64(data, head_bytes - 8)
    assert checksum == xxh3(data[:head_bytes - 8])
    return checksum


def read_table(fields):
    return fields.name(), [(fields.name(), fields.number(1)) for _ in range(fields.number(1))]


def read_manifest(data):
    assert u32(data, 12) == len(data)
    check_head(data, b"KNACKMAN", len(data))
    names = "store_id generation sequence time made_at duration log_serial next_part".split()
    manifest = dict(zip(names, struct.unpack_from("<3Q2q3Q", data, 32)))
    schema_version, tables, migrations, parts = struct.unpack_from("<4I", data, 96)
    fields = Fields(data, 112 + 16 * migrations)
    manifest["tables"] = [(fields.name(), fields.number(8, True), fields.number(8)) for _ in range(tables)]
    manifest["parts"] = [dict(zip("number table kind base row_count bytes checksum".split(),
                                  struct.unpack("<QBB6x4Q", fields.take(48)))) for _ in range(parts)]
    assert fields.at == len(data) - 8
    return manifest


def unshuffle(data, n, width):
    return b"".join(data[i::n] for i in range(n)) if width else b""


def read_texts(fields, n):
    lengths = struct.unpack(f"<{n}I", unshuffle(fields.take(4 * n), n, 4))
    return [fields.take(length).decode() for length in lengths]


def read_block(fields, seed, kind):
    header = fields.take(48)
    (stored_bytes, raw_bytes, rows, nulls, column, encoding, compression, first_row, low, high, checksum) = \
        struct.unpack("<4IHBBI3Q", header)
    stored = fields.take(stored_bytes)
    assert checksum == xxh3(header[:40], xxh3(stored, seed))
    raw = Fields(lz4(stored, raw_bytes) if compression == 1 else stored)
    n = rows - nulls
    bitmap = raw.take((rows + 7) // 8) if 0 < nulls < rows else None
    values = []
    if n and encoding <= 2:
        numbers = raw.take(8 * n)
        if encoding:
            numbers = unshuffle(numbers, n, 8)
        numbers = list(struct.unpack(f"<{n}Q", numbers))
        for i in range(1, n) if encoding == 2 else ():
            numbers[i] = numbers[i - 1] + ((numbers[i] >> 1) ^ -(numbers[i] & 1)) & MASK
        values = list(struct.unpack(f"<{n}{'q' if kind == 1 else 'd'}", struct.pack(f"<{n}Q", *numbers)))
        bounds = struct.unpack("<2q" if kind == 1 else "<2d", struct.pack("<2Q", low, high))
        assert bounds == (min(values), max(values))
    elif n and encoding == 3:
        values = read_texts(raw, n)
    elif n:
        texts = read_texts(raw, raw.number(4))
        width = 1 if len(texts) <= 256 else 2
        values = [texts[raw.number(width)] for _ in range(n)]
    assert raw.at == len(raw.data)
    present = iter(values)
    return column, first_row, checksum, [
        None if nulls == rows or bitmap and bitmap[i // 8] >> i % 8 & 1 else next(present) for i in range(rows)]


def read_part(data, named, store_id):
    assert len(data) == named["bytes"]
    head_bytes = u32(data, 12)
    chain = check_head(data, b"KNACKPRT", head_bytes)
    assert (u64(data, 32), u64(data, 40)) == (store_id, named["number"])
    row_count, description_bytes = u32(data, 52), u32(data, 56)
    table, columns = read_table(Fields(data[72:72 + description_bytes]))
    fields, blocks, rows = Fields(data, head_bytes), 0, []
    while len(rows) < row_count:
        band = []
        for index, (_, kind) in enumerate(columns):
            column, first_row, checksum, values = read_block(fields, store_id + named["number"] * GOLDEN & MASK, kind)
            assert (column, first_row) == (index, len(rows))
            chain = xxh3(checksum.to_bytes(8, "little"), chain)
            blocks += 1
            band.append(values)
        rows += zip(*band)
    assert fields.take(8) == b"KNACKEND"
    assert (fields.number(4), fields.number(4), fields.number(8)) == (blocks, 0, chain)
    assert chain == named["checksum"] and fields.at == len(data)
    return table, [dict(zip([name for name, _ in columns], row)) for row in rows]


def read_ends(data, named, store_id):
    assert len(data) == named["bytes"]
    assert check_head(data, b"KNACKOUT", len(data), 2) == named["checksum"]
    assert (u64(data, 32), u64(data, 40)) == (store_id, named["number"])
    assert u64(data, 56) == xxh3(data[:56])
    seed = store_id + named["number"] * GOLDEN & MASK
    fields, ended = Fields(data[:-8], 64), {}
    for _ in range(u32(data, 12)):
        start = fields.at
        number, row_count, ended_count, form, _, checksum = struct.unpack("<Q4IQ", fields.take(32))
        if form == 0:
            rows = set(struct.unpack(f"<{ended_count}H", fields.take(2 * ended_count)))
        else:
            bits = fields.take((row_count + 7) // 8)
            rows = {row for row in range(row_count) if bits[row // 8] >> row % 8 & 1}
        assert checksum == xxh3(data[start:start + 24], xxh3(data[start + 32:fields.at], seed))
        assert len(rows) == ended_count and max(rows) < row_count
        assert number not in ended
        ended[number] = rows
        fields.take(-fields.at % 8)
    assert fields.at == len(data) - 8
    assert u64(data, 48) == named["row_count"] == sum(map(len, ended.values()))
    return ended


def apply_commit(payload, tables, store):
    fields = Fields(payload)
    for _ in range(fields.number(4)):
        kind, number, count = fields.number(1), fields.number(1), fields.number(2)
        row_id = fields.number(8, True)
        name, columns = tables[number]
        cells = {}
        for _ in range(count):
            column, type_ = fields.number(2), fields.number(1)
            value = None
            if type_ == 1:
                value = fields.number(8, True)
            elif type_ == 2:
                value = struct.unpack("<d", fields.take(8))[0]
            elif type_ == 3:
                value = fields.take(fields.number(4)).decode()
            cells[columns[column][0]] = value
        rows = store.setdefault(name, {})
        if kind == 1:
            rows[row_id] = {**dict.fromkeys(c for c, _ in columns), **cells, "id": row_id}
        elif kind == 2:
            rows[row_id].update(cells)
        elif kind == 3:
            del rows[row_id]
        else:
            (column, bound), = cells.items()
            for old in [i for i, row in rows.items() if row[column] is not None and row[column] < bound]:
                del rows[old]
    assert fields.at == len(payload)


def replay(directory, manifest, store):
    last, torn = manifest["sequence"], False
    for path in sorted(directory.glob("log-*.knl")):
        data, serial = path.read_bytes(), int(path.name[4:20], 16)
        if serial < manifest["log_serial"] or data[:8] == bytes(8):
            continue
        head_bytes = u32(data, 12)
        check_head(data, b"KNACKLOG", head_bytes)
        assert (u64(data, 32), u64(data, 40)) == (manifest["store_id"], serial)
        fields = Fields(data[72:72 + u32(data, 68)])
        tables = [read_table(fields) for _ in range(fields.number(1))]
        at, seed = head_bytes, manifest["store_id"] + serial * GOLDEN & MASK
        while at + 40 <= len(data):
            payload_bytes, kind, sequence, _, durable, checksum = struct.unpack_from("<IIQqQQ", data, at)
            payload = data[at + 40:at + 40 + payload_bytes]
            if not 0 < kind < 256 or len(payload) < payload_bytes or \
                    checksum != xxh3(data[at:at + 32], xxh3(payload) ^ seed):
                break
            assert durable <= sequence
            if kind == 1 and sequence > last:
                assert sequence == last + 1 and not torn
                apply_commit(payload, tables, store)
                last = sequence
            at += 40 + payload_bytes + 7 & ~7
        torn |= any(data[at:])
    return last


def read_store(directory):
    directory = pathlib.Path(directory)
    newest = max(directory.glob("manifest-*.knm"))
    manifest = read_manifest(newest.read_bytes())
    assert newest.name == f"manifest-{manifest['generation']:016x}.knm"
    store = {name: {} for name, _, _ in manifest["tables"]}
    ended = {}
    for kind, part in sorted(((part["kind"], part) for part in manifest["parts"]), key=lambda pair: -pair[0]):
        data = (directory / f"part-{part['number']:016x}.knp").read_bytes()
        if kind == 2:
            ended |= read_ends(data, part, manifest["store_id"])
            continue
        table, rows = read_part(data, part, manifest["store_id"])
        assert table == manifest["tables"][part["table"]][0]
        gone = ended.pop(part["number"], ())
        store[table].update((row["id"], row) for place, row in enumerate(rows) if place not in gone)
    assert not ended, "ends of a part that is not named"
    for name, _, count in manifest["tables"]:
        assert len(store[name]) == count
    replay(directory, manifest, store)
    return store


# ---- against the engine ----

class ReadByDocument(unittest.TestCase):
    def setUp(self):
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="knackdb-document-"))
        self.addCleanup(shutil.rmtree, self.folder)
        self.directory = self.folder / "store"

    def tool(self, *arguments):
        done = subprocess.run([TOOL, *map(str, arguments)], capture_output=True, timeout=120)
        self.assertEqual(done.returncode, 0, done.stderr)
        return done.stdout

    def load(self, table, rows):
        file = self.folder / "rows.jsonl"
        file.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
        self.tool("import", self.directory, table, file)

    def patterns(self, seed, first, count):
        chance = random.Random(seed)
        for number in range(first, first + count):
            yield {"id": number, "task_type": chance.choice(["sort", "search", "", None]),
                   "pattern_used": chance.choice(["quick", "radix", None]),
                   "execution_time": chance.choice([None, 0.0, chance.random() * 1e-3, 1e300]),
                   "success_rate": chance.choice([None, chance.random(), 1.0]),
                   "agent_count": chance.choice([None, 0, -5, 2**62, number]),
                   "tools_used": chance.choice([None, "[]", json.dumps([f"tool {chance.randrange(400)}"])]),
                   "context_factors": chance.choice([None, "", json.dumps({"n": number, "ä": "\n" * chance.randrange(9)})]),
                   "created_at": 1.7e9 + number, "usage_count": number % 7,
                   "external_id": None if number % 3 else f"pattern_{number:08x}"}

    def check(self, directory=None):
        directory = directory or self.directory
        store = read_store(directory)
        for table, rows in store.items():
            dumped = [json.loads(line) for line in self.tool("dump", directory, table, "--format", "jsonl").splitlines()]
            mine = [rows[row_id] for row_id in sorted(rows)]
            self.assertEqual(len(mine), len(dumped), table)
            for ours, theirs in zip(mine, dumped):
                self.assertEqual(ours, theirs)
                self.assertEqual({k: type(v) for k, v in ours.items() if v is not None and not isinstance(v, (int, float))},
                                 {k: type(v) for k, v in theirs.items() if v is not None and not isinstance(v, (int, float))})

    def test_a_log_alone(self):
        self.load("execution_patterns", self.patterns(1, 1, 500))
        self.load("user_preferences", [{"preference_type": "t", "preference_value": str(i % 7), "weight": i / 7} for i in range(40)])
        self.load("performance_metrics", [{"metric_value": 3.0, "baseline_value": 2.0, "measured_at": float(i)} for i in range(50)])
        self.load("execution_patterns", self.patterns(2, 300, 300))
        self.check()

    def test_a_snapshot_alone_and_with_a_log(self):
        self.load("execution_patterns", self.patterns(3, 1, 9000))
        self.load("performance_metrics", [{"metric_name": f"m{i % 300}", "component_name": f"c{i}", "metric_value": i * 0.1}
                                          for i in range(1000)])
        self.tool("snapshot", self.directory)
        self.check()
        self.load("execution_patterns", self.patterns(4, 8990, 40))
        self.check()

    def test_snapshots_that_tell_of_ends(self):
        self.load("execution_patterns", self.patterns(7, 1, 2000))
        self.tool("snapshot", self.directory)
        for seed, first, count, parts in ((8, 10, 30, 3), (9, 600, 500, 4), (10, 1, 200, 4)):
            self.load("execution_patterns", self.patterns(seed, first, count))
            self.check()
            self.tool("snapshot", self.directory)
            kinds = [path.read_bytes()[:8] for path in self.directory.glob("part-*.knp")]
            self.assertIn(b"KNACKOUT", kinds)
            self.assertEqual(len(kinds), parts)
            self.check()

    def test_texts_longer_than_a_block(self):
        self.load("execution_patterns", [{"context_factors": "long " * (i % 5) * 90000} for i in range(12)])
        self.tool("snapshot", self.directory)
        self.load("execution_patterns", [{"context_factors": "\U0001f40d" * 300000}])
        self.check()

    def test_real_rows(self):
        data = pathlib.Path(os.environ.get("KNACKDB_DATA", ROOT.parent / "shared" / "data")) / "converted" / "sample"
        if not data.is_dir():
            self.skipTest(f"no real data at {data}")
        for file in sorted(data.glob("*.csv")):
            table = next((t for t in ("user_preferences", "performance_metrics", "execution_patterns")
                          if file.name.startswith(t)), None)
            if table and "out_of_range" not in file.name:
                self.tool("import", self.directory, table, file)
        self.check()
        self.tool("snapshot", self.directory)
        self.check()

    def test_a_flipped_bit_does_not_pass(self):
        self.load("execution_patterns", self.patterns(5, 1, 50))
        self.tool("snapshot", self.directory)
        part = next(self.directory.glob("part-*.knp"))
        data = bytearray(part.read_bytes())
        chance = random.Random(6)
        for _ in range(100):
            at, bit = chance.randrange(len(data)), 1 << chance.randrange(8)
            data[at] ^= bit
            part.write_bytes(data)
            with self.assertRaises(Exception):
                read_store(self.directory)
            data[at] ^= bit
        part.write_bytes(data)
        self.check()


ROOT = pathlib.Path(os.environ.get("KNACKDB_SOURCE_ROOT", pathlib.Path(__file__).resolve().parents[2]))
TOOL = sys.argv[1] if len(sys.argv) > 1 else os.environ.get("KNACKDB_TOOL", "knackdb")

if __name__ == "__main__":
    run_tests()
