"""Every kernel module compiles for CUDA; no GPU is needed. What traces rays must fit the shared memory of the blocks that it is launched with."""

import importlib
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
from checkout import EXTS
from tailgate.geometry.quiet import wp
from tailgate.geometry.rays import BLOCK

PACKAGES = ("tailgate.core/tailgate", "tailgate.rtx/tailgate_rtx")
SOURCES = {path: path.read_text(encoding="utf-8") for package in PACKAGES for path in (EXTS / package).rglob("*.py")}

COMPILE = """
import importlib, sys
import warp as wp
wp.init()
wp.is_cuda_available = lambda: True  # as on a machine that has a GPU
module = importlib.import_module(sys.argv[1])
wp.set_module_options({"block_dim": int(sys.argv[2])}, module=module)
wp.compile_aot_module(module, arch=[80], module_dir=sys.argv[3])
"""


def kernels(source: str) -> list[str]:
    """Names of the kernels of a source that are no generic ones."""
    return [name for name, arguments in re.findall(r"@wp\.kernel\ndef (\w+)\((.*?)\):\n", source, re.DOTALL) if "Any" not in arguments]


def module_of(path: Path) -> str:
    """Dotted name of a source."""
    return ".".join(path.relative_to(EXTS).with_suffix("").parts[1:])


def home(kernel: str, path: Path) -> str:
    """Module of a kernel that a source launches."""
    imported = re.search(rf"from (\S+) import [^()\n]*\b{kernel}\b", SOURCES[path])
    return imported[1] if imported else module_of(path)


MODULES = {module_of(path): names for path, source in SOURCES.items() if (names := kernels(source))}
LAUNCHED = {(home(kernel, path), kernel) for path, source in SOURCES.items() for kernel in re.findall(r"wp\.launch\(\s*(\w+)", source)}
PLAIN = {module for module, kernel in LAUNCHED if kernel in MODULES.get(module, [])}
"""Modules with a kernel that is launched with Warp's own block size."""


def test_the_modules_are_found():
    assert len(MODULES) > 25 and {"trace_kernel", "see_kernel", "tone_kernel"} <= {name for names in MODULES.values() for name in names}
    for module, names in MODULES.items():
        assert all(hasattr(importlib.import_module(module), name) for name in names), module
    assert "tailgate.render.raytrace.tone" in PLAIN and "tailgate.render.raytrace.camera_kernels" not in PLAIN


@pytest.mark.slow
@pytest.mark.parametrize("module", sorted(MODULES))
def test_a_module_compiles_for_cuda(module, tmp_path):
    if not hasattr(wp, "compile_aot_module") or 80 not in wp.get_cuda_supported_archs():
        pytest.skip("this Warp cannot compile for a device that is not here")
    block = 256 if module in PLAIN else BLOCK
    command = [sys.executable, "-c", COMPILE, module, str(block), str(tmp_path)]
    done = subprocess.run(command, capture_output=True, text=True, env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)})
    assert done.returncode == 0, done.stdout + done.stderr
