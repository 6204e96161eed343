"""What the tiny networks of tests learn: things, and what is asked about them."""

from __future__ import annotations

FRAMES = {"track": "where is my {}", "return": "send back the {}", "price": "what does the {} cost"}
TEN = ("lamp", "chair", "table", "sofa", "desk", "shelf", "mirror", "carpet", "stool", "bed")
TWELVE = (*TEN, "clock", "rug")
