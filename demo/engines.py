# SPDX-License-Identifier: Apache-2.0
"""The two engines that the demo and the client tests put in front of a catalog.

Both are pointed at the same REST address and know nothing of each other: PyIceberg writes through
pyarrow, DuckDB through its own Iceberg extension. The extension comes from the wheels that PyPI
carries for exactly this version of DuckDB, so nothing is downloaded at run time.
"""

import importlib.util
import os

import duckdb
from pyiceberg.catalog.rest import RestCatalog

EXTENSIONS = ("httpfs", "avro", "iceberg")


def pyiceberg_catalog(uri, warehouse=None, **properties):
    """A PyIceberg catalog at `uri`; `properties` are PyIceberg's own."""
    if warehouse:
        properties["warehouse"] = warehouse
    return RestCatalog("tarn", uri=uri, **properties)


def _extension_path(name):
    spec = importlib.util.find_spec(f"duckdb_extension_{name}")
    if spec is None or not spec.submodule_search_locations:
        return None
    path = os.path.join(spec.submodule_search_locations[0], "extensions",
                        f"v{duckdb.__version__}", f"{name}.duckdb_extension")
    return path if os.path.exists(path) else None


def _load_extensions(connection):
    for name in EXTENSIONS:
        path = _extension_path(name)
        if path is None:
            raise RuntimeError(
                f"could not find DuckDB's extension '{name}' for version {duckdb.__version__}; "
                f"install the wheel duckdb-extension-{name}=={duckdb.__version__}")
        quoted = path.replace("'", "''")
        connection.execute(f"LOAD '{quoted}'")


def duckdb_connection(uri, warehouse=None, alias="lake"):
    """A DuckDB connection with the catalog at `uri` attached as `alias`."""
    connection = duckdb.connect(config={"autoinstall_known_extensions": False})
    _load_extensions(connection)
    connection.execute("SET TimeZone = 'UTC'")
    connection.execute(
        f"ATTACH '{warehouse or ''}' AS {alias} "
        f"(TYPE iceberg, ENDPOINT '{uri}', AUTHORIZATION_TYPE 'none')")
    return connection
