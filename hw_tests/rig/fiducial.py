"""The marks that say "this is the rig's chart, and page so-and-so": four ArUco markers; without
them no frame is looked at twice, let alone kept.
"""

from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np

DICTIONARY = cv2.aruco.getPredefinedDictionary(cv2.aruco.DICT_4X4_250)
PER_PAGE = 4  # top left, top right, bottom right, bottom left; their numbers say the page
PAGES = 250 // PER_PAGE


@dataclass(frozen=True, slots=True)
class View:
    """Where the chart lies in a frame.

    `to_frame`: homography from px of the chart to px of the frame.
    """

    to_frame: np.ndarray

    def place(self, points) -> np.ndarray:
        """Points of the chart, n×2, in px of the frame."""
        return cv2.perspectiveTransform(
            np.asarray(points, np.float64).reshape(-1, 1, 2), self.to_frame
        ).reshape(-1, 2)


def draw(number: int, side_px: int) -> np.ndarray:
    """One marker, grey, with no margin: what is around it must be light."""
    return cv2.aruco.generateImageMarker(DICTIONARY, number, side_px)


def find(image: np.ndarray, page: int, marks: list[list[list[float]]]) -> View | None:
    """The chart's place in this frame, or None unless all four markers of this very page are seen,
    and nothing contradicts them.

    `marks`: for each of the four, its corners on the chart, clockwise from its own top left, in px.
    """
    corners, numbers, _ = _DETECTOR.detectMarkers(image)
    if numbers is None:
        return None
    seen = dict(zip(numbers.ravel().tolist(), corners, strict=True))
    wanted = [page * PER_PAGE + place for place in range(PER_PAGE)]
    if not all(number in seen for number in wanted):
        return None
    on_chart = np.asarray(marks, np.float64).reshape(-1, 2)
    in_frame = np.concatenate([seen[number].reshape(4, 2) for number in wanted]).astype(np.float64)
    to_frame, _ = cv2.findHomography(on_chart, in_frame)
    if to_frame is None:
        return None
    view = View(to_frame)
    off_px = np.abs(view.place(on_chart) - in_frame).max()
    # Four markers that lie in no plane are not our chart.
    return view if off_px < 0.02 * image.shape[1] else None


def keep(
    image: np.ndarray,
    page: int,
    marks: list[list[list[float]]],
    size_px: tuple[int, int],
    path: Path,
) -> bool:
    """Write what lies between the markers, and nothing else of the frame, as the chart would lie
    flat; False and no file when they are not in view.

    Beside the screen is somebody's street: a frame as a whole is never written.
    """
    view = find(image, page, marks)
    if view is None:
        return False
    flat = cv2.warpPerspective(image, np.linalg.inv(view.to_frame), size_px)
    return bool(cv2.imwrite(str(path), flat))


def _detector() -> "cv2.aruco.ArucoDetector":
    parameters = cv2.aruco.DetectorParameters()
    parameters.cornerRefinementMethod = cv2.aruco.CORNER_REFINE_SUBPIX
    return cv2.aruco.ArucoDetector(DICTIONARY, parameters)


_DETECTOR = _detector()
