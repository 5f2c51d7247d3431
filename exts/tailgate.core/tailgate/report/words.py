"""Reason codes, verdicts and metrics in words for people who did not build the system."""

from __future__ import annotations

CODES: dict[str, str] = {
    "off_target_occlusion": "the object was hidden more or less than the cell asks for",
    "off_target_range": "the object stood nearer or farther than the cell asks for",
    "off_target_count": "no object of the class could be counted",
    "off_target_visible": "too little of the object was visible to count it",
    "off_target": "the frame did not show what its cell asks for",
    "empty_frame": "the frame showed nothing to learn from",
    "near_duplicate": "the frame repeats another one",
    "box_outside": "a box lies outside its image",
    "label_mismatch": "pixels and labels disagree",
    "range_noise": "LiDAR distances scatter differently from the real sensor's",
    "hole_rate": "beams get lost at another rate than the real sensor's",
    "return_rate": "the share of beams that return differs from the real sensor's",
    "intensity": "LiDAR intensity is distributed differently from the real sensor's",
    "run_length": "gaps in scan lines have other lengths than the real sensor's",
    "depth_noise": "depth scatters differently from the real sensor's",
    "depth_holes": "depth is missing at another rate than in the real images",
    "luminance": "brightness is distributed differently from the real images'",
    "dogss": "shapes of the class lie farther from real ones than real ones from each other",
    "semantic_js": "semantic features of the class differ from the real ones",
    "js_norm": "semantic features of the class differ from the real ones",
    "js_sliced": "semantic features of the class differ from the real ones in direction",
    "asset": "the 3-D model itself is unlike the real objects; no setting can repair it, supply a better model",
    "joint_limit": "taken together the statistics lie beyond what real recordings show against each other",
    "placement": "no place could be found for the object",
}
"""Sentence per reason code."""

VERDICTS: dict[str, str] = {
    "accepted": "as close to real data as real data is to itself, within the stated limits",
    "provisional": "too few samples so far for a verdict",
    "unjudged": "the reference holds too little of this class to judge it",
    "quarantined": "outside the limits; kept out of the dataset",
    "rejected": "outside the limits; not used",
    "not measured": "no measurement of this class was recorded",
}
"""Sentence per class verdict."""

STAGES: dict[str, str] = {
    "randomize": "drawing and placing",
    "render": "rendering",
    "sensors": "sensor response",
    "validate": "measuring and judging",
    "feedback": "feedback",
    "write": "writing",
}
"""Name of each stage for people."""


def code_words(code: str) -> str:
    """A reason code as a sentence; an unknown code is shown as it is, with spaces."""
    base = code.split(":", 1)[0]
    return CODES.get(code) or CODES.get(base.replace("-", "_")) or code.replace("_", " ").replace("-", " ")


def metric_words(name: str) -> str:
    """A metric's name with spaces."""
    return name.replace("_", " ")
