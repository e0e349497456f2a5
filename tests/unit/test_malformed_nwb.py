"""Malformed NWB files and Suite2p folders through the commands."""

from __future__ import annotations

import pickle

import h5py
import numpy as np

from tests.malformed import (
    NWB,
    TRACES,
    Case,
    check,
    cut,
    folder_instead,
    in_hdf5,
    npy_header,
    parametrize,
    put,
    replace_data,
    rois_nwb,
    suite2p,
    units_nwb,
)

TIMES, INDEX = "units/spike_times", "units/spike_times_index"


def _file(name, spoil, *fragments, **options):
    return Case(f"file: {name}", "spikes", units_nwb, spoil, (NWB, *fragments), **options)


def _hdf5(name, change, *fragments, **options):
    return _file(name, in_hdf5(NWB, change), *fragments, **options)


def _version(value):
    return lambda file: file.attrs.__setitem__("nwb_version", value)


def _external(file):
    file["away"] = h5py.ExternalLink("/etc/hostname", "/x")


def _stored_elsewhere(file):
    file.create_dataset("away", (10,), "f8", external=[("/etc/hostname", 0, 80)])


def _virtual(file):
    layout = h5py.VirtualLayout((10,), "f8")
    layout[:] = h5py.VirtualSource("/etc/hostname", "x", (10,))
    file.create_virtual_dataset("away", layout)


def _loop(file):
    file["units/loop"] = file["/"]


def _soft_loop(file):
    file["a"] = h5py.SoftLink("/b")
    file["b"] = h5py.SoftLink("/a")


def _unallocated(name, shape):
    def change(file):
        old = dict(file[name].attrs)
        del file[name]
        made = file.create_dataset(name, shape, "f8", chunks=tuple(min(n, 1000) for n in shape))
        made.attrs.update(old)

    return change


def _zeros_by_direct_chunk(file):
    """Some 3.2 GB of zeros in 3 MB: every chunk holds the same compressed bytes."""
    import zlib

    old, n_chunks, size = dict(file[TIMES].attrs), 400, 1_000_000
    del file[TIMES]
    made = file.create_dataset(TIMES, (n_chunks * size,), "f8", chunks=(size,), compression="gzip")
    made.attrs.update(old)
    chunk = zlib.compress(b"\0" * 8 * size, 9)
    for k in range(n_chunks):
        made.id.write_direct_chunk((k * size,), chunk)
    replace_data(file, INDEX, [1, 2, n_chunks * size])


FILES = [
    _file("text", put(NWB, "an electrode")),
    _file("zero bytes", put(NWB, b""), "zero bytes"),
    _file("Git-LFS pointer", put(NWB, "version https://git-lfs.github.com/spec/v1\noid x\n"),
          "Git-LFS"),
    _file("half", cut(NWB), "truncated"),
    _file("nothing but its signature", put(NWB, b"\x89HDF\r\n\x1a\n")),
    _file("without its end", cut(NWB, 0.98)),
    _file("a folder", folder_instead(NWB), stage="lock"),
    _hdf5("NWB 1", _version("NWB-1.0.6"), "'NWB-1.0.6'"),
    _hdf5("NWB 3", _version("3.0"), "'3.0'"),
    _hdf5("version is a number", _version(2.0), "2.0"),
    _hdf5("version is an array", _version(["2.0", "2.1"]), "nwb_version"),
    _hdf5("no version", lambda f: f.attrs.__delitem__("nwb_version"), "nwb_version"),
    _hdf5("external link", _external, "/etc/hostname"),
    _hdf5("data stored in another file", _stored_elsewhere, "/etc/hostname"),
    _hdf5("virtual dataset", _virtual, "/etc/hostname"),
    _hdf5("no session start", lambda f: f.__delitem__("session_start_time")),
    _hdf5("specifications broken",
          lambda f: [f.__delitem__("specifications"), f.create_group("specifications/core/9")],
          read={"behavior": ["x"]}),
    Case("file: wiring that climbs", "spikes", units_nwb, lambda r: None, ("'../x'",),
         read={"wiring": ["../x"]}, stage="lock"),
    _hdf5("no identifier", lambda f: f.__delitem__("identifier")),
    _hdf5("session start is no date", lambda f: replace_data(f, "session_start_time", "soon")),
]  # fmt: skip


def _spikes(name, change, *fragments, read=None):
    return Case(f"spikes: {name}", "spikes", units_nwb, in_hdf5(NWB, change), (NWB, *fragments),
                read=read or {})  # fmt: skip


def _times(change):
    def spoil(file):
        values = file[TIMES][:]
        file[TIMES][...] = change(values)

    return spoil


def _set(where, value):
    def change(values):
        values[where] = value
        return values

    return _times(change)


def _index(values):
    return lambda f: f[INDEX].__setitem__(slice(None), values)


SPIKES = [
    _spikes("in ms", _times(lambda t: t * 1000), "ms"),
    _spikes("in samples", _times(lambda t: np.round(t * 30_000)), "samples"),
    _spikes("negative", _times(lambda t: t - 1000), "unit-0001", "shift_to_zero"),
    _spikes("NaN", _set(250, np.nan), "unit-0001", "nan"),
    _spikes("infinite", _set(399, np.inf), "unit-0001", "inf"),
    _spikes("all NaN", _times(lambda t: t * np.nan), "unit-0000", "nan"),
    _spikes("out of order", _set(450, 0.0), "unit-0002", "sort_spikes"),
    _spikes("no table", lambda f: f.__delitem__("units"), "units"),
    _spikes("table without spike_times",
            lambda f: [f.__delitem__(TIMES), f.__delitem__(INDEX),
                       f["units"].attrs.__setitem__("colnames", ["depth"])], "spike times"),
    _spikes("index beyond the spikes", _index([200, 400, 700]), "spike_times_index"),
    _spikes("index short of the spikes", _index([100, 200, 300]), "spike_times_index"),
    _spikes("index goes back", _index([400, 200, 600]), "spike_times_index"),
    _spikes("index of another length", lambda f: replace_data(f, INDEX, [200, 600])),
    _spikes("times are text", lambda f: replace_data(f, TIMES, [b"a"] * 600), "spike_times"),
    _spikes("times have two axes", lambda f: replace_data(f, TIMES, np.ones((600, 2))),
            "spike_times"),
    _spikes("no units", lambda f: [replace_data(f, "units/id", np.zeros(0, int)),
            replace_data(f, INDEX, np.zeros(0, np.uint8)), replace_data(f, TIMES, np.zeros(0)),
            replace_data(f, "units/depth", np.zeros(0))], "units"),
    _spikes("not one spike", lambda f: [_index([0, 0, 0])(f), replace_data(f, TIMES, np.zeros(0))],
            "spike"),
    _spikes("column of another length", lambda f: replace_data(f, "units/depth", [1.0]), "depth"),
    _spikes("10^12 times declared, none stored", _unallocated(TIMES, (10**12,)), "spike_times"),
    _spikes("3 GB of zeros in 3 MB", _zeros_by_direct_chunk, "spike_times"),
    _spikes("trials without start", lambda f: [f.__delitem__("intervals/trials/start_time"),
            f["intervals/trials"].attrs.__setitem__("colnames", ["stop_time"])], ""),
    _spikes("trial starts are text",
            lambda f: replace_data(f, "intervals/trials/start_time", [b"a", b"b"]), "start_time"),
    _spikes("behaviour at a rate of 0",
            lambda f: f["acquisition/speed/starting_time"].attrs.__setitem__("rate", 0.0), "speed"),
    _spikes("behaviour at a rate of NaN",
            lambda f: f["acquisition/speed/starting_time"].attrs.__setitem__("rate", np.nan),
            "speed"),
    _spikes("behaviour of 10^12 values, none stored",
            _unallocated("acquisition/speed/data", (10**12,)), "speed",
            read={"behavior": ["speed"]}),
    _spikes("setting: no such behaviour", lambda f: None, "gaze", read={"behavior": ["gaze"]}),
    Case("spikes: setting: no such column", "spikes", units_nwb, lambda r: None,
         ("column snr",), read={"filters": {"snr": [1, None]}}),
    _spikes("setting: no such trial type", lambda f: None, "cue", read={"trial_type": "cue"}),
    _spikes("setting: all units filtered out", lambda f: None, "3 units",
            read={"min_rate": 1000}),
]  # fmt: skip


def _traces(name, change, *fragments, read=None):
    return Case(f"traces: {name}", "calcium", rois_nwb, in_hdf5(NWB, change), (NWB, *fragments),
                read=read or {})  # fmt: skip


def _rate(value):
    return lambda f: f[f"{TRACES}/starting_time"].attrs.__setitem__("rate", value)


def _data(values):
    return lambda f: replace_data(f, f"{TRACES}/data", values)


def _timestamps(times):
    def change(file):
        del file[f"{TRACES}/starting_time"]
        made = file.create_dataset(f"{TRACES}/timestamps", data=times)
        made.attrs["interval"], made.attrs["unit"] = np.int32(1), "seconds"

    return change


def _swapped(times, where):
    times = times.copy()
    times[where] = times[where[::-1]]
    return times


CLOCK = np.arange(60) / 10
CALCIUM = [
    _traces("rate 0", _rate(0.0), "rate 0.0"),
    _traces("rate negative", _rate(-10.0), "rate -10"),
    _traces("rate infinite", _rate(np.inf), "rate inf"),
    _traces("rate NaN", _rate(np.nan), "rate nan"),
    Case("traces: rate of 1e-9 Hz", "calcium", rois_nwb, in_hdf5(NWB, _rate(1e-9)),
         ("recording sub-m1", "1e-09 Hz")),
    _traces("rate is text", _rate("fast")),
    _traces("timestamps out of order", _timestamps(_swapped(CLOCK, [5, 6])), "timestamp"),
    _traces("timestamps NaN", _timestamps(np.where(CLOCK == 3, np.nan, CLOCK)), "timestamp"),
    _traces("timestamps all equal", _timestamps(CLOCK * 0), "timestamp"),
    _traces("timestamps of another count", _timestamps(CLOCK[:50]), "50 timestamps"),
    _traces("a gap of a year", _timestamps(np.where(CLOCK > 3, CLOCK + 3e7, CLOCK)), "timestamps"),
    _traces("all NaN", _data(np.full((60, 3), np.nan)), "3 ROIs"),
    _traces("all infinite", _data(np.full((60, 3), np.inf)), "3 ROIs"),
    _traces("no samples", _data(np.zeros((0, 3))), "no samples"),
    _traces("one sample", _data(np.ones((1, 3))), "sample"),
    _traces("other count of ROIs", _data(np.ones((60, 5))), "(60, 5)", "3 ROIs"),
    _traces("neither axis fits", _data(np.ones((7, 9))), "(7, 9)", "3 ROIs"),
    _traces("three axes", _data(np.ones((60, 3, 2))), "traces"),
    _traces("text", _data(np.full((60, 3), b"a")), "traces"),
    _traces("complex", _data(np.ones((60, 3), complex)), "traces"),
    _traces("TBs declared, none stored", _unallocated(f"{TRACES}/data", (10**7, 10**5)), "traces"),
    _traces("GBs declared, none stored", _unallocated(f"{TRACES}/data", (10**7, 3)), "stores"),
    _traces("no series", lambda f: f.__delitem__("processing/ophys/DfOverF"), "no response series"),
    _traces("ROIs outside their table",
            lambda f: f[f"{TRACES}/rois"].__setitem__(slice(None), [0, 1, 9]), "rois"),
    _traces("ROIs negative",
            lambda f: replace_data(f, f"{TRACES}/rois", np.array([-1, 0, 1])), "rois"),
    _traces("no ROI table", lambda f: f.__delitem__(f"{TRACES}/rois")),
    _traces("setting: no such series", lambda f: None, "traces", "spks", read={"series": "spks"}),
    _traces("setting: no such name column", lambda f: None, "label", read={"unit_names": "label"}),
]  # fmt: skip

PLANE = "mouse1/suite2p/plane0"


def _plane(name, spoil, *fragments, read=None):
    return Case(f"Suite2p: {name}", "calcium", suite2p, spoil, fragments, read=read or {})


def _npy(name, values):
    return lambda root: np.save(root / PLANE / f"{name}.npy", values, allow_pickle=True)


class Payload:
    """Unpickled, it leaves a mark."""

    def __reduce__(self):
        return (open, ("payload-ran", "w"))


def _laughs():
    """A billion items in 30 lists."""
    found = []
    for _ in range(30):
        found = [found, found]
    return found


SUITE2P = [
    _plane("malicious ops", _npy("ops", {"fs": 10.0, "x": Payload()}), "ops.npy", "open"),
    _plane("malicious stat", _npy("stat", np.array([Payload()] * 5)), "stat.npy", "open"),
    _plane("ops is a bare pickle", put(f"{PLANE}/ops.npy", pickle.dumps({"fs": 10})), "ops.npy"),
    _plane("ops cut short", cut(f"{PLANE}/ops.npy", 0.8), "ops.npy"),
    _plane("ops is a list", _npy("ops", np.array([1, "a"], dtype=object)), "ops.npy"),
    _plane("no ops", lambda r: (r / PLANE / "ops.npy").unlink(), "ops.npy", "sampling_rate"),
    _plane("rate 0", _npy("ops", {"fs": 0}), "ops.npy", "fs 0"),
    _plane("rate negative", _npy("ops", {"fs": -1.0}), "ops.npy", "-1"),
    _plane("rate NaN", _npy("ops", {"fs": np.nan}), "ops.npy", "nan"),
    _plane("rate infinite", _npy("ops", {"fs": np.inf}), "ops.npy", "inf"),
    _plane("rate is text", _npy("ops", {"fs": "10"}), "ops.npy", "'10'"),
    _plane("rate of 1e-300", _npy("ops", {"fs": 1e-300}), "mouse1", "1e-300 Hz"),
    _plane("rate in MHz", _npy("ops", {"fs": 3e7}), "3e+07 Hz"),
    _plane("rate is a list in lists", _npy("ops", {"fs": _laughs()}), "list"),
    _plane("rate is an array", _npy("ops", {"fs": np.ones(3)}), "ops.npy"),
    _plane("F cut short", cut(f"{PLANE}/F.npy"), "F.npy"),
    _plane("F claims 10^12 values", put(f"{PLANE}/F.npy", npy_header((10**6, 10**6))), "F.npy"),
    _plane("F is one trace", _npy("F", np.ones(200, np.float32)), "F.npy", "(200,)"),
    _plane("F is all NaN", _npy("F", np.full((5, 200), np.nan, np.float32)), "5"),
    _plane("F is never positive", _npy("F", np.zeros((5, 200), np.float32)), "5 units"),
    _plane("F is a pickle", _npy("F", np.array([Payload()], dtype=object)), "F.npy"),
    _plane("F has no frames", _npy("F", np.ones((5, 0), np.float32)), "F.npy", "(5, 0)"),
    _plane("Fneu of another shape", _npy("Fneu", np.ones((5, 100))), "Fneu.npy", "(5, 100)"),
    _plane("iscell of another length", _npy("iscell", np.ones((4, 2))), "iscell.npy", "(4, 2)"),
    _plane("iscell of one column", _npy("iscell", np.ones(5)), "iscell.npy", "(5,)"),
    _plane("no cell", _npy("iscell", np.zeros((5, 2))), "cell"),
    _plane("stat of another length", _npy("stat", np.array([{}] * 3)), "stat.npy", "5 ROIs"),
    _plane("stat holds text", _npy("stat", np.array([{"med": ["a", "b"]}] * 5)), "stat.npy"),
]  # fmt: skip


@parametrize(FILES)
def test_files(case, tmp_path):
    check(case, tmp_path)


@parametrize(SPIKES)
def test_spikes(case, tmp_path):
    check(case, tmp_path)


@parametrize(CALCIUM)
def test_traces(case, tmp_path):
    check(case, tmp_path)


@parametrize(SUITE2P)
def test_suite2p(case, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    check(case, tmp_path)
    assert not (tmp_path / "payload-ran").exists()


def test_links_in_circles_inside_a_file_do_not_hang(tmp_path):
    """A group that holds itself, and soft links that lead nowhere, are no fault of the data."""
    from tests.malformed import ingest_arguments, lock_arguments, neuropipe, write_manifest

    units_nwb(tmp_path / "data")
    in_hdf5(NWB, _loop)(tmp_path / "data")
    write_manifest(tmp_path, "spikes", {})
    assert neuropipe(*lock_arguments(tmp_path)).status == 0
    run = neuropipe(*ingest_arguments(tmp_path, "spikes", {}))
    assert run.status in (0, 2)
    assert run.error.count("\n") == (1 if run.status else 0)
    assert run.seconds < 10
