# client.py HOSTS: a client of a ZooKeeper ensemble that writes and reads all the time. Each success is a line, "TIME write N" or
# "TIME read N", with the seconds since 1970; what went wrong and may, as a connection that was lost, is "TIME trouble WHY".
# "TIME lost WHY" is what may never be: the ensemble has acknowledged a write, and knows nothing of it. A line of standard input is the
# hosts from then on; at its end the client ends.
import logging
import sys
import threading
import time

from kazoo.client import KazooClient
from kazoo.exceptions import KazooException, NodeExistsError
from kazoo.handlers.threading import KazooTimeoutError
from kazoo.retry import KazooRetry

PATH = "/cfg-tests"
PAUSE = 0.01

logging.basicConfig(stream=sys.stderr, level=logging.ERROR)
ended = threading.Event()


def say(word, what):
    sys.stdout.write(f"{time.time():.4f} {word} {what}\n")
    sys.stdout.flush()


def hear(client):
    for line in sys.stdin:
        client.set_hosts(line.strip())
    ended.set()


class Register:
    """One number, counted up. Each change of a node has a version, which grows by one: so nothing is lost unnoticed, not even what
    another write has covered since."""

    def __init__(self, client):
        self.client = client
        self.tried = 0
        self.acknowledged = 0
        self.version = 0

    def make(self):
        try:
            self.client.create(PATH, b"0")
        except NodeExistsError:
            pass

    def write(self):
        self.tried += 1
        stat = self.client.set(PATH, b"%d" % self.tried)
        if stat.version <= self.version:
            say("lost", f"version {stat.version} comes after version {self.version}")
        self.version = max(self.version, stat.version)
        self.acknowledged = self.tried
        say("write", self.tried)

    def read(self):
        # A server may lag behind: what counts is what the ensemble knows.
        self.client.sync(PATH)
        data, stat = self.client.get(PATH)
        found = int(data)
        if found < self.acknowledged or stat.version < self.version:
            say("lost", f"{self.acknowledged} was acknowledged, and {found} is there")
        say("read", found)


def main():
    # It tries again at once, so that a gap is the ensemble's and not the client's patience.
    patience = KazooRetry(max_tries=-1, delay=0.02, backoff=1, max_jitter=0, max_delay=0.02)
    client = KazooClient(hosts=sys.argv[1], timeout=6.0, connection_retry=patience)
    client.start(timeout=60)
    register = Register(client)
    threading.Thread(target=hear, args=[client], daemon=True).start()
    made = False
    while not ended.is_set():
        try:
            if not made:
                register.make()
                made = True
            register.write()
            register.read()
        except (KazooException, KazooTimeoutError) as error:
            say("trouble", type(error).__name__)
        time.sleep(PAUSE)


if __name__ == "__main__":
    main()
