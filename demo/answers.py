# SPDX-License-Identifier: Apache-2.0
"""Are two copies of a table the same? And the questions that every engine must answer alike.

The expected side is computed with pyarrow from data that never left this process, so agreement
means that what an engine read through the catalog is what was written, row by row. Sums are over
integers: they do not depend on the order in which an engine adds.
"""

import pyarrow as pa
import pyarrow.compute as pc


def _plain_type(kind):
    """One type for each family, since engines widen integers and strings as they like."""
    if pa.types.is_integer(kind):
        return pa.int64()
    if pa.types.is_floating(kind):
        return pa.float64()
    if pa.types.is_string(kind) or pa.types.is_large_string(kind) or kind == pa.string_view():
        return pa.string()
    if pa.types.is_timestamp(kind):
        return pa.timestamp("us", tz="UTC" if kind.tz else None)
    return kind


def canonical(table, keys):
    """The table in a form that is equal for equal contents: plain types, sorted rows."""
    table = table.cast(pa.schema([pa.field(f.name, _plain_type(f.type)) for f in table.schema]))
    order = [(key, "ascending") for key in keys]
    return table.sort_by(order).combine_chunks()


def difference(actual, expected, keys):
    """None when both hold the same columns and rows, else a sentence that says what differs."""
    if actual.column_names != expected.column_names:
        return f"columns {actual.column_names} instead of {expected.column_names}"
    if actual.num_rows != expected.num_rows:
        return f"{actual.num_rows:,} rows instead of {expected.num_rows:,}"
    actual, expected = canonical(actual, keys), canonical(expected, keys)
    for name in expected.column_names:
        if not actual[name].equals(expected[name]):
            return f"column {name} differs"
    return None


def _rows(table, columns, order):
    """The table's rows as tuples of Python values, ordered."""
    table = table.select(columns).sort_by([(name, "ascending") for name in order])
    return [tuple(row.values()) for row in table.to_pylist()]


def _per_carrier(tables):
    groups = tables["flights"].group_by("carrier").aggregate(
        [("flight", "count"), ("distance", "sum"), ("arr_delay", "sum")])
    return _rows(groups, ["carrier", "flight_count", "distance_sum", "arr_delay_sum"], ["carrier"])


def _per_month_and_origin(tables):
    groups = tables["flights"].group_by(["month", "origin"]).aggregate(
        [("flight", "count"), ("dep_delay", "max"), ("air_time", "sum")])
    return _rows(groups, ["month", "origin", "flight_count", "dep_delay_max", "air_time_sum"],
                 ["month", "origin"])


def _seats_per_manufacturer(tables):
    joined = tables["flights"].select(["tailnum"]).join(
        tables["planes"].select(["tailnum", "manufacturer", "seats"]), "tailnum", join_type="inner")
    groups = joined.group_by("manufacturer").aggregate([("seats", "sum"), ("seats", "count")])
    return _rows(groups, ["manufacturer", "seats_sum", "seats_count"], ["manufacturer"])


def _weather_extremes(tables):
    groups = tables["weather"].group_by("origin").aggregate(
        [("temp", "min"), ("temp", "max"), ("wind_dir", "sum"), ("time_hour", "max")])
    return _rows(groups, ["origin", "temp_min", "temp_max", "wind_dir_sum", "time_hour_max"],
                 ["origin"])


def _routes_by_name(tables):
    airports = tables["airports"].select(["faa", "name"])
    flights = tables["flights"].filter(pc.equal(tables["flights"]["origin"], "JFK"))
    joined = flights.select(["dest", "flight"]).join(airports, "dest", "faa", join_type="inner")
    groups = joined.group_by("name").aggregate([("flight", "count")])
    return _rows(groups, ["name", "flight_count"], ["name"])


# (question, the same in SQL over {t} = catalog.namespace, the answer from pyarrow tables)
QUESTIONS = [
    ("flights, miles and delay per carrier",
     "SELECT carrier, count(flight), sum(distance)::BIGINT, sum(arr_delay)::BIGINT "
     "FROM {t}.flights GROUP BY 1 ORDER BY 1", _per_carrier),
    ("flights, worst delay and air time per month and airport",
     "SELECT month, origin, count(flight), max(dep_delay), sum(air_time)::BIGINT "
     "FROM {t}.flights GROUP BY 1, 2 ORDER BY 1, 2", _per_month_and_origin),
    ("seats flown per plane maker",
     "SELECT manufacturer, sum(seats)::BIGINT, count(seats) FROM {t}.flights "
     "JOIN {t}.planes USING (tailnum) GROUP BY 1 ORDER BY 1", _seats_per_manufacturer),
    ("weather extremes per airport",
     "SELECT origin, min(temp), max(temp), sum(wind_dir)::BIGINT, max(time_hour) "
     "FROM {t}.weather GROUP BY 1 ORDER BY 1", _weather_extremes),
    ("flights from JFK by destination",
     "SELECT a.name, count(flight) FROM {t}.flights f JOIN {t}.airports a ON f.dest = a.faa "
     "WHERE origin = 'JFK' GROUP BY 1 ORDER BY 1", _routes_by_name),
]
