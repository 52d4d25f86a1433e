"""The camera's OpenCV and numpy work without FFmpeg, OpenSSL and OpenBLAS, to the last bit as with
them.
"""

import ast
import json
import os
import runpy
import shutil
import signal
import subprocess
import sys
import sysconfig
from pathlib import Path

import pytest

from tests.support import opencv_calls

ROOT = Path(__file__).parents[2]
INSTALLED = Path(sysconfig.get_path("purelib"))


@pytest.fixture(scope="module")
def absent():
    return runpy.run_path(str(ROOT / "debian/absent.py"))


@pytest.fixture(scope="module")
def without(absent, tmp_path_factory):
    """A folder with OpenCV and numpy as the camera's package has them, and the names that went."""
    folder = tmp_path_factory.mktemp("thin")
    for name in [name for pair in absent["WHEELS"].items() for name in pair]:
        shutil.copytree(INSTALLED / name, folder / name, ignore=shutil.ignore_patterns("*.pyc"))
    return folder, absent["leave_out"](folder)


def run(*arguments, path=()):
    """With every function looked for at the start: none may be missing."""
    given = {**os.environ, "PYTHONPATH": os.pathsep.join(map(str, [*path, ROOT]))}
    return subprocess.run(
        [sys.executable, *arguments],
        env={**given, "LD_BIND_NOW": "1"},
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=100,
        check=False,
    )


@pytest.mark.slow
def test_ffmpeg_openssl_and_openblas_are_gone(without, absent):
    folder, gone = without
    stems = {name.partition("-")[0] for name in gone}
    assert {"libavcodec", "libcrypto", "libssl", "libvpx"} <= stems
    assert {"libopenblasp", "libscipy_openblas64_"} <= stems
    left = {
        file.name: file.stat().st_size
        for libs in absent["WHEELS"]
        for file in (folder / libs).iterdir()
    }
    stand_ins = {name for name in left if absent["ABSENT"].match(name)}
    assert {name.partition("-")[0] for name in stand_ins} == {
        "libavcodec",
        "libavformat",
        "libavutil",
        "libopenblasp",
        "libscipy_openblas64_",
        "libswscale",
    }
    assert max(left[name] for name in stand_ins) < 100_000
    assert not [name for name in left if not name.startswith("lib") or ".so" not in name]


@pytest.mark.slow
@pytest.mark.timeout(240)
def test_a_camera_sees_the_same_to_the_last_bit(without):
    script = ROOT / "tests/support/opencv_calls.py"
    ordinary, ours = (run(script, path=path) for path in ((), without[:1]))
    assert ours.returncode == 0, ours.stderr
    assert all(file.startswith(str(without[0])) for file in json.loads(ours.stdout)["files"])
    assert all(file.startswith(str(INSTALLED)) for file in json.loads(ordinary.stdout)["files"])
    assert json.loads(ours.stdout)["told"] == json.loads(ordinary.stdout)["told"]


@pytest.mark.slow
@pytest.mark.parametrize(
    ("call", "wanted"),
    [
        ("cv2.VideoCapture('x.mp4', cv2.CAP_FFMPEG)", "cv2 wants av"),
        ("a = numpy.ones((200, 200)); cv2.eigen(a); cv2.gemm(a, a, 1, None, 0)", "cv2 wants "),
        ("a = numpy.ones((9, 9)); a @ a", "numpy wants scipy_cblas_dgemm64_"),
        ("a = numpy.ones(9); a @ a", "numpy wants scipy_cblas_ddot64_"),
        ("numpy.linalg.inv(numpy.ones((9, 9)))", "numpy wants scipy_"),
    ],
)
def test_a_function_that_is_not_there_ends_the_process_and_is_named(without, call, wanted):
    done = run("-c", f"import cv2, numpy; {call}", path=without[:1])
    assert done.returncode == -signal.SIGABRT
    assert f"platewarden: {wanted}" in done.stderr
    assert "docs/design/packaging.md" in done.stderr


@pytest.mark.slow
def test_the_products_that_numpy_tries_at_its_start_are_right(without):
    call = "a = numpy.arange(9, dtype='f4'); print(a @ a, a[::2] @ a[4:], a[::-1] @ a)"
    done = run("-c", f"import numpy; {call}", path=without[:1])
    assert (done.returncode, done.stdout) == (0, "204.0 140.0 84.0\n"), done.stderr


def nodes(side):
    """Of each module that a side's package holds."""
    stage = runpy.run_path(str(ROOT / "debian/stage.py"))
    known = stage["own_modules"]()
    for name in stage["modules"](known)[side]:
        yield from ((name, node) for node in ast.walk(ast.parse(known[name].read_text())))


# What of numpy asks BLAS or LAPACK, beside `a @ b` and `a.dot(b)`.
PRODUCTS = {
    *("convolve", "corrcoef", "correlate", "cov", "einsum", "einsum_path", "inner", "kron"),
    *("linalg", "matmul", "matvec", "outer", "poly", "polyfit", "roots", "tensordot", "vdot"),
    *("vecdot", "vecmat", "poly1d", "polydiv", "polymul", "asmatrix", "bmat", "matrix"),
}


def multiplies(node):
    match node:
        case ast.BinOp(op=ast.MatMult()) | ast.AugAssign(op=ast.MatMult()):
            return True
        case ast.Attribute(value=ast.Name(id="np" | "numpy"), attr=name) if name in PRODUCTS:
            return True
        case ast.Attribute(attr="dot" | "matmul" | "multivariate_normal"):
            return True
        case ast.Import(names=names):
            parts = [alias.name.split(".") for alias in names]
            return any(top == "numpy" and not PRODUCTS.isdisjoint(rest) for top, *rest in parts)
        case ast.ImportFrom(module=module, names=names) if module:
            top = module.partition(".")[0]
            named = {*module.split("."), *(alias.name for alias in names)}
            return top == "numpy" and not named.isdisjoint({*PRODUCTS, "dot"})
    return False


@pytest.mark.parametrize("side", ["camera", "receiver", "city"])
def test_no_package_of_ours_multiplies_matrices(side):
    """In bookworm numpy's wheel has no BLAS there: the process would end."""
    assert [(name, ast.unparse(node)) for name, node in nodes(side) if multiplies(node)] == []


@pytest.mark.parametrize(
    "code",
    [
        *("a @ b", "a @= b", "np.linalg.norm(a)", "a.dot(b)", "np.dot(a, b)"),
        *("from numpy.linalg import norm", "from numpy import einsum as sums"),
        *("import numpy.linalg as la", "import numpy.linalg", "np.polymul(a, b)", "np.poly1d(a)"),
        *("np.asmatrix(a) * a", "rng.multivariate_normal(a, b)", "operator.matmul(a, b)"),
    ],
)
def test_a_product_would_be_seen(code):
    assert any(multiplies(node) for node in ast.walk(ast.parse(code)))


def test_all_that_a_camera_calls_of_opencv_is_tried():
    """Which functions reach OpenBLAS cannot be seen from outside: each is called once above."""
    used = {
        node.attr
        for _, node in nodes("camera")
        if isinstance(node, ast.Attribute)
        and isinstance(node.value, ast.Name)
        and node.value.id == "cv2"
    }
    functions = {name for name in used if not name.isupper() and "_" not in name} - {"error"}
    tried = {
        node.attr
        for node in ast.walk(ast.parse(Path(opencv_calls.__file__).read_text()))
        if isinstance(node, ast.Attribute)
    }
    assert len(functions) > 15
    assert functions - tried == set(), "add it to tests/support/opencv_calls.py"


def test_each_machine_has_its_compiler(absent):
    build = runpy.run_path(str(ROOT / "debian/build.py"))
    assert set(absent["COMPILERS"].values()) == {
        f"{machine}-linux-gnu-gcc" for machine in build["MACHINES"].values()
    }


def test_readelf_is_asked_in_one_language(absent, tmp_path, monkeypatch):
    """On a desk of another language the build ended with a traceback: no line said "Machine"."""
    program = tmp_path / "readelf"
    program.write_text('#!/bin/sh\n[ "$LC_ALL" = C ] && echo Machine || echo Maschine\n')
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    monkeypatch.setenv("LC_ALL", "de_DE.UTF-8")
    assert absent["readelf"](tmp_path / "any.so") == "Machine\n"
