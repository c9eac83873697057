"""Writes cases.json: what pandas makes of results of queries.

Run it with pandas installed: python3 make.py > cases.json
"""

import datetime
import decimal
import io
import json

import numpy as np
import pandas as pd


def fixed(df):
    """As the provider's SqlToS3Operator changes types before it writes."""
    for col in df:
        if "float" in df[col].dtype.name and df[col].hasnans:
            known = df[col].dropna().values
            if np.equal(known, known.astype(int)).all():
                df[col] = np.where(df[col].isnull(), None, df[col])
                df[col] = df[col].astype(pd.Int64Dtype())
            elif np.isclose(known, known.astype(int)).all():
                df[col] = np.where(df[col].isnull(), None, df[col])
                df[col] = df[col].astype(pd.Float64Dtype())
    return df


class Frames(dict):
    """Columns as PostgreSQL writes them (type number and texts), with what psycopg2 makes of each."""

    made = {
        16: lambda s: s == "t",
        20: int,
        25: str,
        114: json.loads,
        701: float,
        1082: datetime.date.fromisoformat,
        1114: datetime.datetime.fromisoformat,
        1184: lambda s: datetime.datetime.fromisoformat(s + ":00"),
        1700: decimal.Decimal,
    }

    def of(self, name):
        columns = self[name]
        rows = list(zip(*[[None if s is None else self.made[oid](s) for s in texts] for _, oid, texts in columns]))
        df = pd.DataFrame.from_records(rows, columns=[c[0] for c in columns], coerce_float=True)
        for c in df:
            if isinstance(df[c].dtype, pd.DatetimeTZDtype):
                df[c] = df[c].dt.tz_convert("UTC")
        return fixed(df)


frames = Frames({
    "plain": [["a", 20, ["1", "2"]], ["b", 25, ["x", "y z"]]],
    "gaps": [["i", 20, ["1", None, "3"]], ["f", 701, ["0.5", None, "1e20"]], ["t", 25, ["x", None, ""]], ["b", 16, ["t", None, "f"]], ["none", 20, [None, None, None]]],
    "numbers": [["f", 701, ["1", "0.1", "1e-7", "123456789.123456789", "1e16", "-2.5"]], ["n", 1700, ["1.10", "2", "3.33", "0", "-1", "100"]],
                ["i", 20, ["0", "-1", "9007199254740993", "3", "4", "9223372036854775807"]], ["b", 16, ["t", "f", "t", "t", "f", "f"]]],
    "tiny": [["f", 701, ["1e-16", "1.5e-300", "2e17", "1.7976931348623157e308", "0.00000000005", "0.99999999999"]]],
    "whole": [["n", 1700, ["1.00", None, "3.00"]]],
    "moments": [["m", 1114, ["2026-01-02 03:04:05", "1969-12-31 23:59:59", None]], ["d", 1114, ["2026-01-02 00:00:00", "2026-01-03 00:00:00", None]],
                ["u", 1114, ["2026-01-02 03:04:05.000006", "2026-01-02 03:04:05", "2026-01-02 00:00:00"]], ["z", 1184, ["2026-01-02 03:04:05+00", "2026-06-02 00:00:00+00", None]],
                ["day", 1082, ["2026-01-02", None, "1969-12-31"]]],
    "milli": [["m", 1114, ["2026-01-02 03:04:05.120000", "2026-01-02 03:04:05"]], ["z", 1184, ["2026-01-02 00:00:00+00", "2026-06-02 00:00:00+00"]]],
    "texts": [["a,b", 25, ["x,y", 'q"q', "line\nbreak", "cr\rx", "é/\U0001f600", "back\\slash\t", "", " lead"]], ["n", 20, ["1", "2", "3", "4", "5", "6", "7", "8"]]],
    "json": [["j", 114, ['{"b": 1, "a": [true, null, "x", 1.5]}', "[1, 2]", None]]],
    "empty": [["a", 20, []], ["b", 25, []]],
})
csv = [{}, {"index": False}, {"index": False, "header": False, "sep": ";"}, {"index": False, "quoting": 1, "na_rep": "NULL"}, {"quoting": 2}, {"index": False, "float_format": "%.2f"}]
more = {
    "texts": [{"index": False, "quoting": 3, "escapechar": "\\"}, {"index": False, "doublequote": False, "escapechar": "\\"}, {"index": False, "quotechar": "'", "lineterminator": "\r\n"}],
    "moments": [{"date_format": "%d.%m.%Y %H:%M:%S.%f"}, {"columns": ["day", "m"], "header": ["x", "y"], "index_label": "n"}],
}
js = [{}, {"orient": "records"}, {"orient": "records", "lines": True}, {"orient": "split"}, {"orient": "index"}, {"orient": "values"}, {"orient": "records", "date_format": "iso"},
      {"orient": "split", "index": False, "date_unit": "s"}, {"orient": "values", "double_precision": 3, "force_ascii": False, "date_unit": "us"}, {"date_format": "iso", "date_unit": "us"},
      {"orient": "values", "double_precision": 15}, {"orient": "values", "double_precision": 0}]
cases = []
for name in frames:
    for format, forms in (("csv", csv + more.get(name, [])), ("json", js)):
        for form in forms:
            b = io.BytesIO()
            text = io.TextIOWrapper(b, encoding="utf-8", write_through=True)
            getattr(frames.of(name), "to_" + format)(text, **form)
            text.flush()
            cases.append({"frame": name, "format": format, "kwargs": form, "want": b.getvalue().decode()})
print(json.dumps({"pandas": pd.__version__, "frames": frames, "cases": cases}, indent=0))
