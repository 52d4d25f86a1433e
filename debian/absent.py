"""Leaves out of OpenCV's and numpy's wheels the libraries that no camera runs (FFmpeg, OpenSSL, two
OpenBLAS), and puts a few kilobytes in the place of those that their modules are linked to.

The modules stay as their makers built them. Whoever would call a function that is not there is
told its name, and the process ends (docs/design/packaging.md).
"""

import os
import re
import subprocess
from collections import defaultdict
from pathlib import Path

# {a wheel's folder of libraries: the folder of its modules}
WHEELS = {"opencv_python_headless.libs": "cv2", "numpy.libs": "numpy"}
# FFmpeg and what only that needs; OpenBLAS and what only that needs.
ABSENT = re.compile(
    r"lib(avcodec|avformat|avutil|swscale|swresample|vpx|drm|ssl|crypto"
    r"|openblasp?|scipy_openblas64_|gfortran|quadmath)\b"
)
WHY = "docs/design/packaging.md"
COMPILERS = {
    "Advanced Micro Devices X86-64": "x86_64-linux-gnu-gcc",
    "AArch64": "aarch64-linux-gnu-gcc",
}
PROLOGUE = """\
extern void abort(void) __attribute__((noreturn));
extern long write(int, const void *, unsigned long);
static void absent(const char *text, unsigned long size) {
    (void) !write(2, text, size);
    abort();
}
"""
# numpy multiplies two vectors when it is imported, to see whether its BLAS can be trusted.
COMPUTED = {
    "scipy_cblas_sdot64_": """\
float scipy_cblas_sdot64_(long n, const float *x, long x_step, const float *y, long y_step) {
    double sum = 0;
    for (long i = 0; i < n; i++) sum += (double) x[i * x_step] * y[i * y_step];
    return (float) sum;
}
"""
}


def readelf(file: Path, *options: str) -> str:
    """What binutils' readelf says of a library of any machine; its words are translated."""
    command = ["readelf", "--wide", *options, str(file)]
    plain = {**os.environ, "LC_ALL": "C"}
    return subprocess.run(
        command, env=plain, check=True, capture_output=True, text=True, timeout=60
    ).stdout


def symbols(file: Path, *, defined: bool) -> dict[str, str]:
    """{name: version or ""} of the dynamic symbols that a library defines, or wants of others."""
    found = {}
    for line in readelf(file, "--dyn-syms").splitlines():
        parts = line.split()
        if len(parts) < 8 or not parts[0].endswith(":"):
            continue
        if (parts[6] != "UND") == defined:
            name, _, version = parts[7].replace("@@", "@").partition("@")
            found[name] = version
    return found


def needed(file: Path) -> set[str]:
    """The libraries that the loader wants before this one."""
    return set(re.findall(r"\(NEEDED\).*\[(.+)\]", readelf(file, "--dynamic")))


def function(name: str, wheel: str) -> str:
    """In C: what is computed after all, or words and the process's end."""
    said = f"platewarden: {wheel} wants {name}, which is in no package of ours; see {WHY}\\n"
    ends = f'{{ static const char t[] = "{said}"; absent(t, sizeof t - 1); }}'
    return COMPUTED.get(name, f"void {name}(void) {ends}\n")


def stand_in(library: Path, wanted: set[str], wheel: str) -> None:
    """Write over a library one with the same name, the same versions and those of its functions
    that are wanted. All but COMPUTED end the process.
    """
    machine = re.search(r"Machine: +(.+)", readelf(library, "--file-header"))[1]
    versions = defaultdict(list)
    for name, version in sorted(symbols(library, defined=True).items()):
        if name in wanted:
            versions[version].append(name)
    names = [name for chosen in versions.values() for name in chosen]
    code = PROLOGUE + "".join(function(name, wheel) for name in names)
    script = "".join(
        f"{version} {{ global: {'; '.join(chosen)}; local: *; }};\n"
        for version, chosen in versions.items()
    )
    map_file = library.with_name(library.name + ".map")
    map_file.write_text(script, encoding="utf-8")
    flags = "-shared -fPIC -nostdlib -Os -fno-builtin -fno-ident -s -x c -"
    links = [f"-soname,{library.name}", f"--version-script={map_file}", "--build-id=none"]
    links += ["-z,relro", "-z,now", "-z,noexecstack"]
    command = [COMPILERS[machine], *flags.split(), "-o", str(library)]
    command += [f"-Wl,{link}" for link in links]
    library.unlink()
    subprocess.run(command, input=code, text=True, check=True, timeout=60)
    map_file.unlink()


def leave_out(folder: Path) -> list[str]:
    """The names that are gone from the unpacked wheels in `folder`; a stand-in has the old name."""
    return [name for libs, modules in WHEELS.items() for name in thin(folder, libs, modules)]


def thin(folder: Path, libs: str, modules: str) -> list[str]:
    """The same for one wheel, by its folder of libraries and that of its modules."""
    libraries = {file.name: file for file in sorted((folder / libs).glob("*.so*"))}
    absent = {name: file for name, file in libraries.items() if ABSENT.match(name)}
    stay = [file for name, file in libraries.items() if name not in absent]
    stay += sorted((folder / modules).rglob("*.so"))
    linked = set().union(*map(needed, stay))
    wanted = {name for file in stay for name in symbols(file, defined=False)}
    for name, file in absent.items():
        if name in linked:
            stand_in(file, wanted, modules)
        else:
            file.unlink()
    return sorted(absent)
