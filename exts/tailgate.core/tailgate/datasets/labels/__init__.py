"""Label files of real data sets, read into one table: COCO, KITTI, nuScenes, Argoverse 2, ``class,count`` csv."""

from tailgate.datasets.labels.detect import FORMATS, read_labels
from tailgate.datasets.labels.frequency import Buckets, buckets, tail_classes, tail_threshold
from tailgate.datasets.labels.table import LabelTable

__all__ = ["FORMATS", "Buckets", "LabelTable", "buckets", "read_labels", "tail_classes", "tail_threshold"]
