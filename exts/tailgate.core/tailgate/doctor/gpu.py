"""NVIDIA GPUs: driver, memory and RT cores, as ``nvidia-smi`` tells them."""

from __future__ import annotations

import re
import shutil
import subprocess
from dataclasses import dataclass

from tailgate.doctor.check import Check, numbers
from tailgate.doctor.isaac import Release

MIN_VRAM_GB = 16.0
MIN_DRIVER = "580.65.06"
"""Least Linux driver that NVIDIA names for Isaac Sim 5.1."""
TIMEOUT = 20.0
"""Seconds that ``nvidia-smi`` may take."""
QUERY = "name,memory.total,compute_cap,driver_version"
WITH_RT_CORES = {(7, 5), (8, 6), (8, 9), (12, 0), (12, 1)}
"""Compute capabilities of chips with RT cores. A100 (8.0), H100 and H200 (9.0) and B200 (10.0) have none."""
TURING_WITHOUT = re.compile(r"GTX 16|MX\d|\bT(4|5|6|10|12)00\b")
"""Turing chips that lack them all the same (TU116, TU117)."""


@dataclass(frozen=True)
class Gpu:
    """One GPU: its name, memory [GB], compute capability and driver."""

    name: str
    memory: float
    capability: tuple[int, ...]
    driver: str

    @property
    def rt_cores(self) -> bool:
        """Whether it has RT cores."""
        return self.capability in WITH_RT_CORES and not TURING_WITHOUT.search(self.name)


def check_gpus(release: Release | None = None) -> list[Check]:
    """GPU, driver, memory and RT cores where there is a GPU. Optional; what Isaac Sim's renderer lacks is wrong only where Isaac Sim is."""
    if shutil.which("nvidia-smi") is None:
        return [_no_gpu("none (the embedded renderer runs on the CPU)", release)]
    try:
        gpus, cuda = _ask(f"--query-gpu={QUERY}", "--format=csv,noheader,nounits"), _ask()
    except (OSError, subprocess.SubprocessError):
        return [Check("NVIDIA GPU", True, "nvidia-smi is there but does not answer", "reinstall the NVIDIA driver, or use --device cpu")]
    found = read_gpus(gpus)
    if not found:
        return [_no_gpu("none listed", release)]
    return [Check("NVIDIA GPU", True, "; ".join(g.name for g in found)), *_judge(found, read_cuda(cuda), release)]


def _no_gpu(words: str, release: Release | None) -> Check:
    return Check("NVIDIA GPU", True, words, "Isaac Sim needs one with RT cores; use --backend warp here" if release else "")


def read_gpus(table: str) -> list[Gpu]:
    """GPUs of the comma-separated answer to ``QUERY``; lines that say something else are left out."""
    out = []
    for line in table.splitlines():
        parts = [p.strip() for p in line.split(",")]
        if len(parts) == 4 and parts[1].isdigit():
            out.append(Gpu(parts[0], int(parts[1]) * 2**20 / 1e9, numbers(parts[2]), parts[3]))
    return out


def read_cuda(page: str) -> str:
    """The newest CUDA version that the driver runs, from ``nvidia-smi``'s page; "" where it is not told."""
    found = re.search(r"CUDA Version\s*:\s*([\d.]+)", page)
    return found[1] if found else ""


def _judge(gpus: list[Gpu], cuda: str, release: Release | None) -> list[Check]:
    asked = release is not None
    driver = gpus[0].driver
    old = asked and numbers(driver) < numbers(MIN_DRIVER)
    fix = f"Isaac Sim asks for driver {MIN_DRIVER} or newer: install it" if old else ""
    checks = [Check("NVIDIA driver", not old, driver + (f", CUDA {cuda}" if cuda else ""), fix)]
    small = [g for g in gpus if g.memory < 0.95 * MIN_VRAM_GB]
    words = ", ".join(f"{g.memory:.0f} GB" for g in gpus)
    fix = f"Isaac Sim asks for {MIN_VRAM_GB:g} GB: use a larger GPU, smaller images or --backend warp" if small else ""
    checks.append(Check("GPU memory", not (asked and len(small) == len(gpus)), words, fix))
    without = sorted({g.name for g in gpus if not g.rt_cores})
    fix = f"{', '.join(without)}: Isaac Sim's renderer needs RT cores (L4, L40, A10, RTX …); use --backend warp --device cuda:0" if without else ""
    return [*checks, Check("RT cores", not (asked and len(without) == len({g.name for g in gpus})), _rt_words(gpus), fix)]


def _rt_words(gpus: list[Gpu]) -> str:
    held = sum(g.rt_cores for g in gpus)
    return "yes" if held == len(gpus) else "none" if not held else f"in {held} of {len(gpus)} GPUs"


def _ask(*arguments: str) -> str:
    return subprocess.run(["nvidia-smi", *arguments], capture_output=True, text=True, timeout=TIMEOUT, check=True).stdout
