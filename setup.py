"""Everything about the package is in settings.ini; this file only hands it to setuptools."""
from configparser import ConfigParser
from pathlib import Path

from setuptools import find_packages, setup

here = Path(__file__).parent
config = ConfigParser(delimiters=["="])
config.read(here / "settings.ini", encoding="utf-8")
cfg = config["DEFAULT"]

extras = {key.removesuffix("_requirements"): cfg[key].split() for key in cfg if key.endswith("_requirements")}
IN_DEV = ("eval", "openai", "ray", "hf", "nano", "train", "notebooks", "client", "serve", "live", "postgres", "gymnasium", "pettingzoo", "inspect",
          "langchain", "agents", "mcp")
extras["dev"] += [r for name in IN_DEV for r in extras[name]]

setup(
    name=cfg["lib_name"],
    version=cfg["version"],
    description=cfg["description"],
    long_description=(here / "README.md").read_text(encoding="utf-8"),
    long_description_content_type="text/markdown",
    author=cfg["author"],
    author_email=cfg["author_email"],
    url=cfg["git_url"],
    project_urls={"Documentation": cfg["doc_host"] + cfg["doc_baseurl"], "Changes": cfg["git_url"] + "/blob/main/CHANGELOG.md",
                  "Issues": cfg["git_url"] + "/issues"},
    license="Apache-2.0",
    license_files=["LICENSE"],
    keywords=cfg["keywords"],
    # the last one is what verifiers looks for
    packages=[*find_packages(include=["sentinel", "sentinel.*"], exclude=["sentinel.assets.*"]), "sentinel_oversight"],
    package_dir={"sentinel_oversight": "sentinel/assets/sentinel_oversight"},
    package_data={"sentinel": ["py.typed", "assets/**/*", "openenv.yaml", "pyproject.toml", "README.md", "server/Dockerfile",
                               "server/constraints.txt", "validation/**/*"]},
    python_requires=f">={cfg['min_python']},<3.14",
    install_requires=cfg["requirements"].split(),
    extras_require=extras,
    entry_points={"console_scripts": cfg["console_scripts"].split(), "nbdev": [f"{cfg['lib_path']}={cfg['lib_path']}._modidx:d"]},
    classifiers=[
        "Development Status :: 3 - Alpha",
        "Intended Audience :: Science/Research",
        "Programming Language :: Python :: 3.11",
        "Programming Language :: Python :: 3.12",
        "Programming Language :: Python :: 3.13",
    ],
    zip_safe=False,
)
