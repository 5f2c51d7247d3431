"""Reason codes, verdicts and metrics in words for people who did not build the system."""

from __future__ import annotations

from tailgate.validate.scorecard import Row

CODES: dict[str, str] = {
    "off_target_class": "no object of the class could be placed",
    "off_target_visibility": "too little of the object was visible to count it",
    "off_target_range": "the object stood nearer or farther than the cell asks for",
    "off_target_occlusion": "the object was hidden more or less than the cell asks for",
    "off_target_conditions": "light or weather differ from what the cell asks for",
    "empty_frame": "no labelled object was to be seen",
    "dropped": "the frames that showed it were dropped",
    "empty_image": "the image shows a single colour",
    "empty_scan": "the scan holds no return",
    "not_a_number": "a distance is not a number",
    "empty_depth": "no pixel has a measured depth",
    "mask_box_mismatch": "pixels and boxes disagree",
    "box_outside_image": "a box leaves the image",
    "unknown_instance": "pixels or returns belong to no listed object",
    "label_mismatch": "pixels or returns of an object carry another class",
    "duplicate_instance": "two objects share one id",
    "unstable_instance": "an object changes its class or its 3-D model within a clip",
    "near_duplicates": "frames repeat each other",
    "class_attribute_association": "a condition gives a class away",
    "hole_rate": "LiDAR beams get lost at another rate than the real sensor's",
    "range_noise": "LiDAR distances scatter differently from the real sensor's",
    "beam_noise": "LiDAR distances scatter differently along a beam than the real sensor's",
    "noise_spectrum": "LiDAR errors last longer or shorter along a beam than the real sensor's",
    "return_rate": "LiDAR beams that look down lose returns at another rate than the real sensor's",
    "points_per_object": "objects give more or fewer LiDAR returns than real ones of their size and distance",
    "box_fit": "returns lie in or beside their objects' boxes otherwise than in the real labels",
    "box_depth": "boxes lie nearer or farther along the rays than in the real labels",
    "intensity": "LiDAR intensity is distributed differently from the real sensor's",
    "intensity_texture": "LiDAR intensity changes from return to return differently from the real sensor's",
    "run_length": "gaps in scan lines have other lengths than the real sensor's",
    "depth_noise": "depth scatters differently from the real sensor's",
    "depth_noise_fine": "depth scatters differently from pixel to pixel than the real sensor's",
    "depth_noise_spectrum": "neighbouring depth errors are more or less alike than the real sensor's",
    "depth_noise_field": "depth noise changes across the image differently than in the real images",
    "depth_hole_rate": "depth is missing at another rate than in the real images",
    "edge_fattening": "depth edges are shifted differently from the real sensor's",
    "edge_roughness": "depth edges are more or less ragged than the real sensor's",
    "mixed_pixels": "points float between objects at another rate than in the real images",
    "label_edges": "labels end at another distance from depth edges than in the real images",
    "colour_edges": "colours and depth are aligned differently than in the real images",
    "luminance": "brightness is distributed differently from the real images'",
    "colourfulness": "colours are more or less strong than in the real images",
    "warmth": "images are redder or bluer than the real ones",
    "rgb_noise_spectrum": "image noise is coarser or finer than the real one",
    "rgb_noise": "images are more or less noisy than the real ones",
    "sharpness": "images are more or less sharp than the real ones",
    "overshoot": "edges of images have stronger or weaker rims than real ones",
    "joint": "taken together the statistics lie beyond what real recordings show against each other",
    "unjudged": "nothing could be judged, and the budget holds back what is unjudged",
    "dogss": "shapes of the class lie farther from real ones than real ones from each other",
    "js_norm": "local shape of the class differs from the real one in strength",
    "js_sliced": "local shape of the class differs from the real one in kind",
    "semantic_js": "features of the class differ from the real ones",
    "asset": "the 3-D model itself is unlike the real objects; no setting can repair it, supply a better model",
    "reference": "there was nothing to compare with",
}
"""Sentence per reason code."""

VERDICTS: dict[str, str] = {
    "accepted": "within the limits that real data sets for itself",
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


FAMILIES: dict[str, str] = {
    "sensor": "How the sensors measure",
    "visual": "What images look like",
    "latency": "When the sensors fire",
    "content": "What is shown",
}
"""Families of differences, in the order in which they are told."""

METRICS: dict[str, str] = {
    "joint": "all statistics together",
    "chamfer": "distance of an object to the nearest real one (chamfer)",
    "hole_rate": "lost LiDAR returns",
    "range_noise": "LiDAR range noise",
    "beam_noise": "LiDAR noise along a beam",
    "noise_spectrum": "grain of LiDAR noise",
    "return_rate": "LiDAR returns lost towards the ground",
    "points_per_object": "LiDAR returns per object",
    "box_fit": "returns inside boxes",
    "box_depth": "depth of boxes along the rays",
    "intensity": "LiDAR intensity",
    "intensity_texture": "LiDAR intensity from return to return",
    "run_length": "length of LiDAR gaps",
    "depth_noise_fine": "depth noise, pixel to pixel",
    "depth_noise_spectrum": "grain of depth noise",
    "depth_noise_field": "depth noise across the image",
    "depth_hole_rate": "missing depth",
    "label_edges": "labels against depth edges",
    "colour_edges": "colours against depth edges",
    "rgb_noise_spectrum": "grain of image noise",
    "rgb_noise": "image noise",
    "overshoot": "rims of edges in pictures",
    "dogss": "dogss (shape score)",
    "mmd_cd": "MMD-CD (how well each real shape is met)",
    "coverage": "coverage (share of real shapes that are met)",
    "one_nna": "1-NNA (0.5: alike)",
    "kid": "KID of crop features",
    "frechet": "Fréchet distance of crop features",
    "js_norm": "feature divergence (norm)",
    "js_sliced": "feature divergence (sliced)",
}
"""Name of a metric for people, where its own name is not plain enough."""


def code_words(code: str) -> str:
    """A reason code as a sentence; an unknown code is shown as it is, with spaces."""
    return CODES.get(code) or code.replace("_", " ").replace("-", " ")


def metric_words(name: str) -> str:
    """A metric's name for people."""
    return METRICS.get(name) or name.replace("_", " ")


def fault_words(row: Row) -> str:
    """A fault of the whole set, in a sentence."""
    where = f" ({row.class_name} and {row.stratum})" if row.class_name else ""
    return f"{code_words(row.metric)}{where}: {row.value:.3g}, at most {row.limit:.3g}"
