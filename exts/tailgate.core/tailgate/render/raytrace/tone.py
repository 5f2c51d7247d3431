"""From radiance to a picture: exposures added up, and tone mapping."""

from __future__ import annotations

from tailgate.geometry.quiet import wp
from tailgate.geometry.rays import strips

wp.set_module_options({"enable_backward": False})


@wp.kernel
def add_kernel(hdr: wp.array(dtype=wp.vec4), share: float, total: wp.array(dtype=wp.vec4)):
    """Add a share of an image to a sum."""
    k = wp.tid()
    total[k] = total[k] + hdr[k] * share


@wp.func_native("""
    const float* light = (const float*)hdr.data + 4 * first;
    unsigned char* code = (unsigned char*)rgb.data + 4 * first;
    for (int i = 0; i < 4 * count; ++i) {
        float x = light[i] * exposure;
        x = x * (2.51f * x + 0.03f) / (x * (2.43f * x + 0.59f) + 0.14f);
        x = x < 0.0f ? 0.0f : x > 1.0f ? 1.0f : x;
        const float r = sqrtf(sqrtf(x > 0.0031308f ? x : 0.0031308f));
        const float root = ((((-0.06459059f * r + 0.2744266f) * r - 0.54736272f) * r + 1.18994894f) * r + 0.15358142f) * r - 0.00600988f;
        const float value = (x > 0.0031308f ? 1.055f * root - 0.055f : 12.92f * x) * 255.0f + 0.5f;
        code[i] = (unsigned char)(int)(value < 255.0f ? value : 255.0f);
    }
    for (int k = 0; k < count; ++k) code[4 * k + 3] = 255;
""")
def tone(hdr: wp.array(dtype=wp.vec4), exposure: float, rgb: wp.array2d(dtype=wp.uint8), first: int, count: int):
    """Codes of ``count`` pixels from ``first`` on: exposure, a filmic curve (Narkowicz 2015, a fit of the ACES reference), and sRGB (IEC 61966-2-1)
    rounded to 8 bits. The latter's power x^(1/2.4) is a polynomial in the fourth root of x, within 7e-6 of it: a power takes a CPU several times as
    long. A plain loop, which a compiler turns into vector code."""


@wp.kernel
def tone_kernel(hdr: wp.array(dtype=wp.vec4), exposure: float, strip: int, rgb: wp.array2d(dtype=wp.uint8)):
    """Expose, tone-map and encode; a thread works through ``strip`` pixels."""
    first = wp.tid() * strip
    tone(hdr, exposure, rgb, first, wp.min(strip, hdr.shape[0] - first))


def tone_map(hdr: wp.array, exposure: float, rgb: wp.array) -> None:
    """Fill ``rgb``, uint8 [n, 4], with the codes of radiance ``hdr``, vec4 [n]; twin: ``image_twins.tone_twin``."""
    threads, strip = strips(hdr.shape[0], hdr.device)
    wp.launch(tone_kernel, dim=threads, inputs=[hdr, float(exposure), strip], outputs=[rgb], device=hdr.device)
