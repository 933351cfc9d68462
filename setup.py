"""What pyproject.toml cannot say: on the page of the package, links of the README lead to the repository."""

import re
from pathlib import Path

from setuptools import setup

REPOSITORY = "https://github.com/spikewright/spikewright/blob/main/"
PICTURES = "https://raw.githubusercontent.com/spikewright/spikewright/main/"

readme = Path(__file__).with_name("README.md").read_text("utf-8")
readme = re.sub(r'(src|srcset)="(?!https:)', rf'\1="{PICTURES}', readme)
readme = re.sub(r"\]\((?!https:|#)", f"]({REPOSITORY}", readme)

setup(long_description=readme, long_description_content_type="text/markdown")
