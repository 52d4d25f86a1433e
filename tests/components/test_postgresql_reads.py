"""The shared store under several receivers at once: who stores, who tells, who deletes; and what is
said when it hangs or is away.
"""

import threading
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from random import Random

import psycopg
import pytest

from agent.core.wire.sealed_read import SealedRead
from agent.errors import StorageError, StoreAwayError
from agent.receiver.store import postgresql_reads, postgresql_seats
from agent.receiver.store import postgresql_statements as statements
from agent.receiver.store.postgresql_reads import PostgresqlReads
from tests.contracts.test_read_store import add, digest, name, row, sealed
from tests.fakes.sealing import FakeSealer
from tests.support.postgresql import Postgresql
from tests.support.sealed import CAPTURED, DEVICE, PLATE


@pytest.fixture
def url(postgresql):
    return postgresql.url()


@pytest.fixture
def stores(url):
    """Four receivers' connections to one store."""
    made = [PostgresqlReads(url) for _ in range(4)]
    yield made
    for store in made:
        store.close()


def at_once(stores, what):
    with ThreadPoolExecutor(len(stores)) as pool:
        return list(pool.map(what, stores))


def made_reads(number, cameras=3):
    sealers = [FakeSealer(f"cam-{camera}") for camera in range(cameras)]
    return [sealed(sealers[n % cameras], 1 + n // cameras) for n in range(number)]


def test_four_that_start_at_once_make_the_tables_once(stores):
    assert at_once(stores, lambda store: store.held()) == [(0, None)] * 4


def test_each_read_is_new_to_one_of_four_and_stored_for_all(stores):
    """In batches of any order: none waits for another in a circle."""
    reads = made_reads(90)

    def take_all(store):
        chance, mine, new = Random(id(store)), list(reads), []
        chance.shuffle(mine)
        while mine:
            batch = {digest(read): read for read in mine[:20]}
            mine = mine[20:]
            new += [kept.row.name for kept in store.add_all(batch, CAPTURED) if kept.new]
        return new

    new = [one for each in at_once(stores, take_all) for one in each]
    assert sorted(new) == sorted(map(name, reads))
    assert stores[0].held()[0] == 90
    assert [(one.highest, one.missing, one.twice) for one in stores[0].sequences()] == [
        (30, (), ())
    ] * 3


def test_a_read_that_is_left_untold_goes_to_one_of_four(stores, monkeypatch):
    reads = made_reads(40)
    add(stores[0], *reads)
    assert at_once(stores, lambda store: list(store.untold())) == [[]] * 4  # its teller may live
    time.sleep(1.1)
    monkeypatch.setattr(postgresql_reads, "TELL_AGAIN_S", 1)
    left = [one.name for each in at_once(stores, lambda store: store.untold()) for one in each]
    assert sorted(left) == sorted(map(name, reads))


def test_what_is_due_is_deleted_and_counted_once(stores):
    reads = made_reads(30)
    add(stores[0], *reads)
    due = reads[0].tags.deadline
    assert sum(at_once(stores, lambda store: store.delete_due(due))) == 30


def test_a_client_that_hangs_in_a_transaction_does_not_hold_its_camera_for_ever(
    stores, monkeypatch
):
    monkeypatch.setitem(postgresql_reads._SETTINGS, "idle_in_transaction_session_timeout", "1s")
    read, stopped, go_on = sealed(FakeSealer(DEVICE)), threading.Event(), threading.Event()
    stores[1].held()

    def hung():
        with stores[0]._transaction() as ask:
            ask.execute(statements.COUNT, ([DEVICE], [read.tags.sequence], [digest(read)]))
            stopped.set()
            go_on.wait(30)
            ask.execute("SELECT 1")

    with ThreadPoolExecutor(1) as pool:
        waiting = pool.submit(hung)
        assert stopped.wait(30)
        assert [kept.new for kept in add(stores[1], read)] == [True]
        go_on.set()
        with pytest.raises(StoreAwayError):
            waiting.result(30)
    assert add(stores[0], read)[0].new is False


def test_what_a_batch_costs_is_three_questions_and_no_transaction_is_left_open_between(
    stores, monkeypatch
):
    """So a receiver that hangs, at whatever line, has nothing locked in the server."""
    asked, reads = [], made_reads(20)
    stores[0].held()
    connection = stores[0]._connection
    honest = connection.execute

    def execute(*arguments, **options):
        asked.append(1)
        done = honest(*arguments, **options)
        assert connection.info.transaction_status == psycopg.pq.TransactionStatus.IDLE
        return done

    monkeypatch.setattr(connection, "execute", execute)
    monkeypatch.setattr(connection, "transaction", None)
    stores[0].known([name(read) for read in reads])
    add(stores[0], *reads)
    stores[0].told([name(read) for read in reads], ["desk"])
    assert len(asked) == 3


def test_a_number_that_another_receiver_brings_meanwhile_with_other_bytes_is_told(stores, url):
    """Whoever waits for the other's commit began before it, and sees it all the same."""
    one = sealed(FakeSealer(DEVICE), 7)
    two = SealedRead(replace(one.tags, read_id="f" * 32), b"another")
    with psycopg.connect(url) as other, ThreadPoolExecutor(1) as pool:
        stores[1].held()
        stores[0].held()
        other.execute(statements.COUNT, ([DEVICE], [7], [digest(one)]))
        waiting = pool.submit(add, stores[0], two)
        while not stores[1]._select("SELECT 1 FROM pg_locks WHERE NOT granted"):
            time.sleep(0.01)
        other.commit()
        assert [kept.new for kept in waiting.result(30)] == [True]
    assert [found.twice for found in stores[0].sequences()] == [((7, 7),)]


def test_two_numbers_of_one_batch_with_different_bytes_are_told(stores):
    one = sealed(FakeSealer(DEVICE), 7)
    two = SealedRead(replace(one.tags, read_id="f" * 32), b"another")
    add(stores[0], one, two)
    assert [found.twice for found in stores[0].sequences()] == [((7, 7),)]
    assert stores[0].held()[0] == 2


def test_each_receiver_has_a_place_and_one_that_ends_makes_room(stores, monkeypatch):
    monkeypatch.setattr(postgresql_seats, "LOOK_S", 0)
    for store in stores:
        store.place()
    assert [store.place() for store in stores] == [(0, 4), (1, 4), (2, 4), (3, 4)]
    stores[1].close()  # as the server does it for one that dies
    while stores[0].place() != (0, 3):  # it takes its moment
        time.sleep(0.05)
    stores[1].place()
    assert [store.place() for store in stores] == [(0, 4), (1, 4), (2, 4), (3, 4)]
    stores[0].close()
    while stores[3].place() != (2, 3):
        time.sleep(0.05)
    assert [stores[number].place() for number in (1, 2)] == [(0, 3), (1, 3)]


def test_who_only_looks_takes_no_place_and_another_store_has_its_own(stores, postgresql):
    stores[0].held()
    assert stores[1].place() == (0, 1)
    other = PostgresqlReads(postgresql.url())
    assert other.place() == (0, 1)
    other.close()


def test_with_no_place_left_a_receiver_takes_everything(stores, monkeypatch):
    monkeypatch.setattr(postgresql_seats, "_TAKE", "SELECT 1 WHERE false")
    assert stores[0].place() == (0, 1)


def test_how_long_it_waits_and_that_a_commit_is_durable(stores):
    shown = {
        setting: stores[0]._select("SELECT current_setting(%s)", (setting,))[0][0]
        for setting in postgresql_reads._SETTINGS
    }
    assert shown == {
        "idle_in_transaction_session_timeout": "5s",
        "lock_timeout": "10s",
        "statement_timeout": "15s",
        "default_transaction_isolation": "read committed",
        "synchronous_commit": "on",
    }


def test_only_the_telling_waits_for_no_disk(stores):
    stores[0].told([(DEVICE, "f" * 32)])
    assert stores[0]._select("SHOW synchronous_commit") == [("on",)]


def test_the_database_knows_no_plate(stores, url, postgresql):
    read = sealed(FakeSealer(DEVICE))
    add(stores[0], read)
    [(text,)] = postgresql.ask(url, "SELECT string_agg(reads::text, '') FROM reads")
    assert PLATE not in text


def test_bytes_that_somebody_made_too_long_are_not_read(stores, url):
    read = sealed(FakeSealer(DEVICE))
    add(stores[0], read)
    with psycopg.connect(url) as other:
        other.execute("UPDATE reads SET wire = convert_to(repeat('x', 1000000), 'UTF8')")
    with pytest.raises(StorageError, match="no read"):
        stores[0].wire(row(read))


def test_a_store_of_the_first_version_keeps_its_reads_and_gets_what_it_lacks(stores, url):
    read = sealed(FakeSealer(DEVICE))
    add(stores[0], read)
    with psycopg.connect(url) as other:
        for table in ("to_ring", "ringers", "acts", "held", "holds"):
            other.execute(f"DROP TABLE {table}")
        other.execute("UPDATE platewarden_store SET version = 1")
    at_once(stores[1:], lambda store: store.held())
    stores[1].told([name(read)], ["desk"])
    assert [one.waiting for one in stores[2].rings.states()] == [1]
    assert stores[3].held()[0] == 1
    assert stores[3].holds.holds() == []


def test_a_newer_version_is_refused(stores, url):
    stores[0].held()
    with psycopg.connect(url) as other:
        other.execute("UPDATE platewarden_store SET version = 99")
    with pytest.raises(StorageError, match="version 99; this software knows"):
        stores[1].held()


def test_a_role_without_rights_is_one_clear_error(stores, url):
    stores[0].held()
    with psycopg.connect(url) as other:
        other.execute("DROP TABLE dropped")
    with pytest.raises(StorageError, match='PostgreSQL store: failed: relation "dropped"') as found:
        stores[0].dropped()
    assert not isinstance(found.value, StoreAwayError)


def test_a_server_that_ends_is_away_and_back(tmp_path):
    with Postgresql() as server:
        store, read = PostgresqlReads(server.url()), sealed(FakeSealer(DEVICE))
        add(store, read)
        server.stop()
        for _ in range(2):
            with pytest.raises(StoreAwayError, match="PostgreSQL store: does not answer: ") as away:
                store.known([name(read)])
            assert "\n" not in str(away.value)
        server.start()
        assert store.recover() == 0
        assert store.known([name(read)]) == {name(read): digest(read)}
        store.close()


def test_a_server_over_tcp_must_show_its_certificate_unless_told_otherwise(monkeypatch):
    asked = {}
    monkeypatch.delenv("PGSSLMODE", raising=False)

    def connect(_conninfo, **_options):
        asked.update(
            psycopg.conninfo.get_defaults()
            if hasattr(psycopg.conninfo, "get_defaults")
            else {one.keyword: one.val for one in psycopg.pq.Conninfo.get_defaults()}
        )
        raise psycopg.OperationalError("stopped here")

    monkeypatch.setattr(psycopg, "connect", connect)
    with pytest.raises(StoreAwayError):
        PostgresqlReads("postgresql://203.0.113.5/reads").held()
    assert asked[b"sslmode"] == b"verify-full"
