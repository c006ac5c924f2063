"""A client of stormkv in Python, made from the shipped proto file alone.

Debian: apt-get install python3-grpcio python3-protobuf protobuf-compiler protobuf-compiler-grpc
  protoc -I proto --python_out=OUT --grpc_python_out=OUT \
      --plugin=protoc-gen-grpc_python=/usr/bin/grpc_python_plugin proto/kv.proto
  PYTHONPATH=OUT python3 examples/python/storm_client.py 127.0.0.1:8081
Without Debian's compilers: pip install grpcio-tools, then python3 -m grpc_tools.protoc with the
same options but the plugin's.
"""

import sys

import grpc
import kv_pb2
import kv_pb2_grpc

TIMEOUT_S = 30


def expect(name, found, wanted):
    if found != wanted:
        raise SystemExit(f"{name}: found {found!r}, expected {wanted!r}")
    print(f"{name}: ok")


def entry(key, value):
    return kv_pb2.SetRequest(key=key, value=value)


def single(kv):
    kv.Set(entry("py/one", b"1"), timeout=TIMEOUT_S)
    expect("Get", kv.Get(kv_pb2.GetRequest(key="py/one"), timeout=TIMEOUT_S).value, b"1")
    try:
        kv.Get(kv_pb2.GetRequest(key="py/none"), timeout=TIMEOUT_S)
        raise SystemExit("Get of a key without a value: no error")
    except grpc.RpcError as error:
        expect("Get of a key without a value", error.code(), grpc.StatusCode.NOT_FOUND)


def conditional(kv):
    """Errors carry what is known of a write in their metadata."""
    try:
        kv.Set(kv_pb2.SetRequest(key="py/one", value=b"2", if_absent=True), timeout=TIMEOUT_S)
        raise SystemExit("Set if absent: no error")
    except grpc.RpcError as error:
        expect("Set if absent", error.code(), grpc.StatusCode.ABORTED)
        outcome = dict(error.trailing_metadata()).get("stormkv-outcome")
        expect("its outcome", outcome, "not-applied")


def batch(kv):
    entries = [entry(f"py/batch/{i:03}", f"b{i}".encode()) for i in range(100)]
    response = kv.BatchSet(kv_pb2.BatchSetRequest(entries=entries), timeout=TIMEOUT_S)
    expect("BatchSet", (response.written, len(response.errors)), (100, 0))


def ingest(kv):
    """A stream of batches; each answer comes when its batch is durable."""

    def batches():
        for part in range(10):
            entries = [entry(f"py/ingest/{part}/{i}", b"x" * 100) for i in range(50)]
            yield kv_pb2.BatchSetRequest(entries=entries)

    written = [response.written for response in kv.Ingest(batches(), timeout=TIMEOUT_S)]
    expect("Ingest", written, [50] * 10)


def scan(kv):
    request = kv_pb2.ScanRequest(prefix=b"py/batch/", page_bytes_max=200)
    pages = list(kv.Scan(request, timeout=TIMEOUT_S))
    entries = [found for page in pages for found in page.entries]
    keys = [found.key for found in entries]
    wanted = [f"py/batch/{i:03}" for i in range(100)]
    as_text = [key.decode() if isinstance(key, bytes) else key for key in keys]
    expect("Scan", as_text, wanted)
    expect("Scan comes in pages", len(pages) > 1, True)


def main():
    target = sys.argv[1] if len(sys.argv) > 1 else "127.0.0.1:8081"
    with grpc.insecure_channel(target) as channel:
        kv = kv_pb2_grpc.KvStub(channel)
        for step in (single, conditional, batch, ingest, scan):
            step(kv)
    print("done")


if __name__ == "__main__":
    main()
