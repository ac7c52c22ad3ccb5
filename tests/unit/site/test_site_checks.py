"""Consistency checks of a site file: each case is one mistake and the problem that is reported."""

from __future__ import annotations

import pytest

CSV = "sources: [{name: a, type: csv, path: x, readings: %s}]"
KAFKA = "kafka: {bootstrap: 'b:9092', readings: %s}"


@pytest.mark.parametrize(
    "good",
    [
        CSV % "{shape: wide, ts: {path: t}, asset: {file: '{parent}-{stem}'}, value: {decimal: ','}}",
        CSV % "{shape: wide, ts: {path: t}, asset: {file: '{*}/{asset}_{*}'}}",
        CSV % "{shape: wide, ts: {path: t, unit: ms}}",
        CSV % "{tag: {path: t}, ts: {path: [d, t, ms], format: '%d.%m.%Y %H:%M:%S', ambiguous: order}}",
        CSV % "{tag: {path: t}, ts: {path: t, format: ['%d.%m.%Y %H:%M', '%m/%d/%Y %H:%M'], ambiguous: first}}",
        CSV % "{tag: {path: t}, value: {path: [a, b], map: {OPEN: 1, off: ~}, thousands: ',', bad: [-9999, 1..2]}}",
        CSV % "{tag: {path: t}, quality: {path: q, good: [0, 64..127], bad: [0x80..0xFF, x], uncertain: [u]}}",
        CSV % "{shape: wide, columns: {value: '{tag}_V', ts: '{tag}_T', quality: '{tag}_Q'}, quality: {scheme: opcda}}",
        CSV % "{shape: wide, ts: {format: '%d.%m.%Y %H:%M'}, columns: {repeat: [ts, value]}, case: ignore}",
        CSV % "{tag: {path: t}, ts: {path: t, format: '%I:%M:%S %p', date: {file: 'log_{date}', format: '%y%m%d'}}}",
        CSV % "{tag: {path: t}, ts: {path: t, unit: duration, start: {line: [Date, Time], format: '%d.%m.%Y %H:%M'}}}",
        CSV % "{tag: {path: t}, ts: {path: [sec, usec], unit: s, fraction: us}}",
        CSV % "{tag: {path: t}, ts: {path: t, unit: ticks, timezone: UTC}}",
        KAFKA % "{tag: {path: t}, ts: {path: t, unit: min, start: {const: '2026-01-13T05:00:00Z'}}}",
        CSV % "{shape: wide, columns: {quality: '{tag}_Q', optional: [quality]}, quality: {path: q}, fill: [ts]}",
        CSV % "{tag: {path: t}}",
        CSV % "{asset: {const: pump-1}, sensor: {path: s}}",
        KAFKA % "{shape: wide, asset: {path: a}}",
        KAFKA % "{shape: wide, value: {path: fields}, records: metrics}",
        KAFKA % "{tag: {path: id}, records: '.'}",
        KAFKA % "{tag: {record: key}, ts: {record: timestamp}, value: {record: value}}",
        KAFKA % "{asset: {header: machine}, sensor: {record: key}, quality: {header: q, scheme: opcua}}",
        KAFKA
        % "{tag: {path: id}, format: avro, registry: {url: 'https://r/apis/v7', username: u, password: p, ca: c}}",
        "kafka: embedded",
        "kafka: a:1,b:2",
        "kafka: {bootstrap: '[::1]:9092'}",
        "stream: {flink: https://flink.example/path, delivery: at-least-once, checkpoint: 1h}",
        "engines: {kafka_port: 0, flink_port: 0}",
    ],
)
def test_consistent_settings_are_no_problem(problems, good):
    assert problems(good) == []


@pytest.mark.slow
@pytest.mark.parametrize(
    ("more", "problem"),
    [
        (
            CSV % "{ts: {path: t}}",
            "sources[0].readings: a long record needs a sensor (with an asset) or a tag",
        ),
        *(
            (CSV % f"{{tag: {{path: s}}, ts: {{path: {path}, {rest}}}}}", f"sources[0].readings.ts.{problem}")
            for path, rest, problem in [
                ("[a, b]", "unit: ms", "path: a number in ms is one column"),
                ("[a, b, c]", "format: '%d.%m.%Y %H:%M:%S %f'", "format: %f reads 7 as seven tenths"),
                ("a", "unit: s, ambiguous: first", "ambiguous: is for local times"),
                ("a", "unit: gps, ambiguous: first", "ambiguous: is for local times"),
                ("[a, b]", "unit: filetime", "path: a number in filetime is one column"),
                ("a", "unit: ticks", "unit: ticks may count UTC or local time: write `timezone: UTC`"),
                ("a", "fraction: us", "fraction: is what the last of several columns counts"),
                ("[sec, usec]", "unit: s", "path: 'usec' is not milliseconds by its name: write `fraction: us`"),
                ("[time, nanos]", "unit: iso", "path: 'nanos' is not milliseconds by its name: write `fraction: ns`"),
                ("a", "unit: min", "unit: min counts since an instant: give `start`"),
                ("a", "date: {}", "date: needs file, line or const"),
                ("a", "date: {file: '{date}', line: d}", "date.line: conflicts with file"),
                ("a", "date: {file: a}", "date.file: needs {date} once"),
                ("a", "date: {file: '{start}{date}'}", "date.file: needs {date} once"),
                ("a", "date: {line: d, format: '%d.%m'}", "date.format: it has no year"),
                ("a", "date: {line: d, format: '%d.%m.%Y %H'}", "date.format: %H is no part of a date"),
                ("a", "format: '%d %H:%M', date: {line: d}", "format: %d is of a date, which `date` gives"),
                ("a", "format: '%H:%M%z', date: {line: d}", "format: %z is not read beside `date`"),
                ("a", "format: '%M:%S', date: {line: d}", "format: it has no time of day"),
                ("a", "unit: s, date: {line: d}", "date: is for times of day: a number in s is an instant"),
                ("a", "start: {line: d}", "start: needs a unit of elapsed time: s, ms"),
                ("a", "unit: s, start: {line: d, format: '%d.%m.%y'}", "start.format: it has no time of day"),
                ("a", "unit: s, start: {line: d}, ambiguous: first", "ambiguous: is for local times"),
                ("a", "format: ['%d.%m.%Y %H:%M', '%d.%m.%Y']", "format: '%d.%m.%Y': it has no time of day"),
                ("a", "format: ['%d.%m.%Y %H:%M', '%d.%m.%Y %H:%M']", "format: contains a format twice"),
            ]
        ),
        (KAFKA % "{tag: {path: t}, ts: {path: t, ambiguous: order}}", "readings.ts.ambiguous: order is for imports"),
        *(
            (CSV % f"{{tag: {{path: s}}, value: {{path: v, {rest}}}}}", f"sources[0].readings.value.{problem}")
            for rest, problem in [
                ("thousands: '.'", 'thousands: is also the decimal sign: set `decimal: ","`'),
                ("scale: 0", "scale: must not be 0"),
                ("strip: ['-']", "strip[0]: '-' could be part of a number"),
                ("bad: [5..1]", "bad[0]: '5..1' begins above its end"),
                ("map: {On: 1, ON: 2}", "map: 'on' is there twice"),
                ("map: {x: 1}, bad: [X]", "map: 'X' has a value here and is also listed as bad"),
            ]
        ),
        *(
            (CSV % f"{{tag: {{path: s}}, quality: {{path: q, {rest}}}}}", f"sources[0].readings.quality.{problem}")
            for rest, problem in [
                ("good: [9..1]", "good[0]: '9..1' begins above its end"),
                ("bad: [a..b]", "bad[0]: 'a..b' is not a range of numbers"),
                ("good: [192-219]", "good[0]: '192-219' would be a word: write 192..219 for a range"),
                ("bad: ['0x00 - 0x3F']", "bad[0]: '0x00 - 0x3F' would be a word: write 0x00..0x3F for a range"),
                ("bad: ['0 to 63']", "bad[0]: '0 to 63' would be a word: write 0..63 for a range"),
                ("good: [1..9], bad: [5]", "bad: '5' is also listed as good"),
            ]
        ),
        *(
            (CSV % f"{{shape: wide, ts: {{path: t}}, columns: {columns}}}", f"sources[0].readings.{problem}")
            for columns, problem in [
                ("{}", "columns: says nothing"),
                ("{ts: '{tag}_T'}", "ts.path: conflicts with columns"),
                ("{quality: Q}", "columns.quality: needs {tag} once, such as {tag}_QUALITY"),
                ("{value: '{tag}_V', quality: '{tag}_V'}", "columns: has the same pattern twice"),
                ("{repeat: [tag]}", "columns.repeat: needs value"),
                ("{repeat: [value, value]}", "columns.repeat: contains value twice"),
                ("{repeat: [tag, value], quality: '{tag}_Q'}", "columns.quality: conflicts with repeat"),
            ]
        ),
        (CSV % "{tag: {path: s}, columns: {quality: '{tag}_Q'}}", "sources[0].readings.columns: is for wide records"),
        (CSV % "{shape: wide, value: {path: [a, b]}}", "sources[0].readings.value.path: several paths are for long"),
        (CSV % "{sensor: {path: s}}", "sources[0].readings.asset: is required together with sensor"),
        (CSV % "{tag: {path: s}, ignore: [a]}", "sources[0].readings.ignore: is for wide records"),
        (CSV % "{shape: wide, tag: {path: a}}", "sources[0].readings.tag: is for long records"),
        (CSV % "{shape: wide, value: {path: v}}", "sources[0].readings.value.path: is for objects in messages"),
        (CSV % "{tag: {path: s}, records: r}", "sources[0].readings.records: is for JSON and messages with"),
        (CSV % "{tag: {path: s}, format: avro}", "sources[0].readings.format: avro is for messages, not for files"),
        (
            CSV % "{tag: {path: s}, registry: {url: 'http://r:8081'}}",
            "sources[0].readings.registry: is for messages of format avro",
        ),
        (CSV % "{tag: {path: s}, value: {decimal: ','}}", "sources[0].readings.value: needs a path"),
        (CSV % "{tag: {path: s, const: x}}", "sources[0].readings.tag.const: conflicts with path"),
        (
            CSV % "{tag: {file: '{name}'}}",
            "sources[0].readings.tag.file: {name} is unknown: use {stem}, {parent} or {tag}",
        ),
        (
            CSV % "{tag: {file: '{asset}_{tag}'}}",
            "sources[0].readings.tag.file: {asset} is unknown: use {stem}, {parent} or {tag}",
        ),
        (CSV % "{tag: {file: '{tag}{tag}'}}", "sources[0].readings.tag.file: {tag} may occur only once"),
        (CSV % "{tag: {file: '{tag}_{stem}'}}", "sources[0].readings.tag.file: {stem} has no meaning beside {tag}"),
        (CSV % "{tag: {file: 'a_{*}'}}", "sources[0].readings.tag.file: {*} is for patterns that contain {tag}"),
        (
            CSV % "{tag: {path: s}, ts: {const: x}}",
            "sources[0].readings.ts.const: must come from the record: use path",
        ),
        (
            CSV % "{tag: {path: s}, ts: {path: x, unit: ms, format: '%Y'}}",
            "sources[0].readings.ts.format: a number in ms",
        ),
        (
            CSV % "{asset: {const: pump-2}, sensor: {path: s}}",
            "asset.const: there is no asset pump-2 (did you mean pump-1?)",
        ),
        (
            CSV % "{asset: {path: a}, sensor: {const: curent}}",
            "sensor.const: there is no sensor curent (did you mean current?)",
        ),
        (
            CSV % "{tag: {path: s}, ts: {path: x, format: 'yyyy-MM-dd HH:mm'}}",
            "sources[0].readings.ts.format: 'yyyy-MM-dd HH:mm' has no directives such as %Y: write %Y-%m-%d %H:%M",
        ),
        (
            KAFKA % "{tag: {path: s}, ts: {path: x, format: '%d.%m.%Y'}}",
            "kafka.readings.ts.format: it has no time of day: add %H:%M:%S",
        ),
        (
            KAFKA % "{tag: {path: t}, ts: {path: t, unit: s, start: {file: 'run_{start}'}}}",
            "kafka.readings.ts.start.file: is for files, which have a name and lines: give a const start",
        ),
        (KAFKA % "{tag: {path: t}, fill: [t]}", "kafka.readings.fill: is for tables in files"),
        (
            CSV % "{shape: wide, columns: {value: '{tag}_V', optional: [quality]}}",
            "sources[0].readings.columns.optional: is for columns by name: give quality, such as {tag}_QUALITY",
        ),
        (
            KAFKA % "{tag: {path: t}, ts: {path: t, date: {const: '2026-01-13'}}}",
            "kafka.readings.ts.date: is for tables in files, whose rows are in order",
        ),
        (CSV % "{tag: {path: s}, ts: {path: x, timezone: localtime}}", "ts.timezone: unknown time zone 'localtime'"),
        (CSV % "{tag: {path: s}, ts: {path: x, timezone: CET+1}}", "ts.timezone: unknown time zone 'CET+1'"),
        (KAFKA % "{tag: {file: x}}", "kafka.readings.tag.file: messages have no file name: use path or const"),
        (KAFKA % "{tag: {record: key, path: x}}", "kafka.readings.tag.record: conflicts with path"),
        (KAFKA % "{tag: {record: topic}}", "kafka.readings.tag.record: must be 'key', 'timestamp' or 'value'"),
        (
            KAFKA % "{tag: {record: timestamp}}",
            "kafka.readings.tag.record: the record's timestamp is not the tag: use record: key, header or path",
        ),
        (
            KAFKA % "{tag: {path: x}, ts: {record: key}}",
            "kafka.readings.ts.record: the record's key is not the ts: use record: timestamp, header or path",
        ),
        (
            KAFKA % "{tag: {path: x}, quality: {record: key}}",
            "kafka.readings.quality.record: the record's key is not the quality: use header or path",
        ),
        (
            KAFKA % "{tag: {path: x}, value: {header: x}}",
            "kafka.readings.value.header: a value is in the payload: use path, or record: value",
        ),
        (
            KAFKA % "{tag: {path: x}, ts: {record: timestamp, unit: ms}}",
            "kafka.readings.ts.unit: is for text and numbers: the record's timestamp is an instant",
        ),
        (
            KAFKA % "{tag: {record: key}, value: {record: value}}",
            "kafka.readings.ts: the payload is the value alone (value: {record: value}): use record: timestamp or",
        ),
        (
            KAFKA % "{tag: {path: x}, ts: {record: timestamp}, value: {record: value}}",
            "kafka.readings.tag.path: the payload is the value alone",
        ),
        (
            KAFKA % "{shape: wide, ts: {record: timestamp}, value: {record: value}}",
            "kafka.readings.shape: must be long: the payload is the value alone",
        ),
        (
            KAFKA % "{tag: {record: key}, ts: {record: timestamp}, value: {record: value}, records: '.'}",
            "kafka.readings.records: must be left out: the payload is the value alone",
        ),
        (
            CSV % "{tag: {record: key}}",
            "sources[0].readings.tag.record: is for kafka.readings: a file has no Kafka records; use path, const",
        ),
        (
            CSV % "{tag: {header: x}}",
            "sources[0].readings.tag.header: is for kafka.readings: a file has no Kafka records; use path, const",
        ),
        (
            KAFKA % "{tag: {path: x}, format: csv}",
            "kafka.readings.format: must be json, influx, avro or protobuf: csv is for files",
        ),
        (KAFKA % "{tag: {path: x}, format: avro}", "kafka.readings.registry: is required for format avro"),
        (KAFKA % "{tag: {path: x}, format: protobuf}", "kafka.readings.registry: is required for format protobuf"),
        (KAFKA % "{asset: {path: x}, format: influx, records: x}", "kafka.readings.records: is for arrays: each line"),
        (
            KAFKA % "{tag: {record: key}, ts: {record: timestamp}, value: {record: value}, base64: true}",
            "kafka.readings.base64: must be left out: the payload is the value alone",
        ),
        (KAFKA % "{tag: {path: x}, value: {path: v, unit: '-5'}}", "kafka.readings.value.unit: '-5' could be part of"),
        (
            CSV % "{asset: {path: s}, format: influx}",
            "sources[0].readings.format: influx is for messages, not for",
        ),
        (CSV % "{tag: {path: s}, base64: true}", "sources[0].readings.base64: is for messages, not for files"),
        (KAFKA % "{tag: {path: x}, records: ''}", "kafka.readings.records: must be no shorter than 1"),
        (
            KAFKA % "{tag: {path: x}, registry: {url: 'http://r:8081'}}",
            "kafka.readings.registry: is for formats avro and protobuf",
        ),
        (
            KAFKA % "{tag: {path: x}, format: avro, registry: {url: 'r:8081'}}",
            "kafka.readings.registry.url: must be http://host:port or https://",
        ),
        (
            KAFKA % "{tag: {path: x}, format: avro, registry: {url: 'http://u:p@r'}}",
            "kafka.readings.registry.url: must be http://host:port or https://",
        ),
        (
            KAFKA % "{tag: {path: x}, format: avro, registry: {url: 'http://r', username: u}}",
            "kafka.readings.registry.password: is required together with username",
        ),
        (
            KAFKA % "{tag: {path: x}, format: avro, registry: {url: 'http://r', ca: ca.pem}}",
            "kafka.readings.registry.ca: is for https",
        ),
        (
            KAFKA % "{shape: wide, value: {const: '5'}}",
            "kafka.readings.value.const: must come from the record: use path",
        ),
        ("kafka: broker", "kafka.bootstrap: must be embedded, or host:port"),
        ("kafka: a:99999", "kafka.bootstrap: must be embedded, or host:port"),
        ("kafka: {security: {ca: x}}", "kafka.security.ca: is for SSL and SASL_SSL, not for PLAINTEXT"),
        (
            "kafka: {security: {protocol: SSL}}",
            "kafka.security.protocol: the embedded broker accepts connections from this machine only",
        ),
        (
            "kafka: {security: {mechanism: PLAIN}}",
            "kafka.security.mechanism: is for SASL_PLAINTEXT and SASL_SSL",
        ),
        (
            "kafka: {topics: {scores: plant.readings}}",
            "kafka.topics.scores: readings and scores are both plant.readings",
        ),
        ("serving: {address: here}", "serving.address: must be host:port"),
        (
            "stream: {flink: here:8081}",
            "stream.flink: must be embedded, or the JobManager's http://host:port",
        ),
        ("stream: {checkpoint: 15m}", "stream.checkpoint: must be shorter than 15m with exactly-once"),
        ("stream: {idle_timeout: 0s}", "stream.idle_timeout: must be longer than 0"),
        (
            "serving: {port: 7000}\nengines: {mlflow_port: 7000}",
            "engines.mlflow_port: 7000 is the port of serving.port too",
        ),
        ("exclude: [{start: 2026-01-02, end: 2026-01-02}]", "exclude[0].end: must be after start"),
        (
            "exclude: [{start: 2026-01-01, end: 2026-01-02, asset: pump1}]",
            "exclude[0].asset: there is no asset pump1 (did you",
        ),
        ("timezone: CET/Berlin", "timezone: unknown time zone 'CET/Berlin'"),
        (
            "timezone: Europe/Berlin\nexclude: [{start: 2026-03-29T02:30:00, end: 2026-04-01}]",
            "exclude[0].start: 2026-03-29 02",
        ),
        ("tracking:", "tracking: is empty: give it a value or leave it out"),
        ("file: x", "file: unknown key"),
    ],
)
def test_each_contradiction_is_one_problem_at_its_key(problems, more, problem):
    (reported,) = problems(more)
    assert problem in reported


@pytest.mark.parametrize(
    ("settings", "problem"),
    [
        ("step: 10s", "max_gap: must be at least the step, 10s"),
        ("alarm: {silence: 100ms}", "alarm.silence: must be at least the step, 1s"),
        ("model: {warmup: 120}", "model: must be less than the window, 120 rows"),
        ("model: {window: 60, warmup: 60}", "model.warmup: must be less than the window, 60 rows"),
        ("model: {window: 20, warmup: 10}", "model.window: must be more than 20 rows"),
        ("model: {window: 30, warmup: 9}", "model: must be at most the warmup, 9 rows"),
        ("model: {horizons: [1, 61]}", "model.horizons: must be at most the warmup, 60 rows"),
        ("model: {horizons: [1, 120]}", "model.horizons: must be less than the window, 120 rows"),
        ("model: {horizons: [1, 1]}", "model.horizons: must not repeat"),
        ("model: {horizons: []}", "model.horizons: must contain at least one"),
        ("model: {calibration: 1}", "model.calibration: must be less than 1"),
        ("model: {learning_rate: nan}", "model.learning_rate: must be a finite number"),
        ("model: {learning_rate: atuo}", "model.learning_rate: must be a number, or auto"),
        ("model: {learning_rate: 2}", "model.learning_rate: must be 1.0 or less"),
        ("model: {epochs: 1.5}", "model.epochs: must be a whole number"),
        ("model: {type: mewna}", "model.type: must be 'auto', 'lstm', 'minlstm', 'pca-q', 'pca-t2', 'mewma', "),
        ("model: {type: mewna}", "model.type: 'last-value' (did you mean mewma?)"),
        ("model: {type: }", "model.type: must be 'auto'"),
        (
            "model: {type: mewma, units: 32}",
            "model.units: mewma has no such setting; it takes type, window, calibration, smoothing",
        ),
        ("model: {trees: 9}", "model.trees: auto has no such setting; it takes type, window, calibration, warmup"),
        ("model: {type: pca-t2, explaind: 0.8}", "model.explaind: unknown key (did you mean explained?)"),
        ("model: {type: pca-q}", "model.type: pca-q judges how sensors move together, but only s is scored"),
        ("model: {type: pca-t2, explained: 1}", "model.explained: must be less than 1"),
        ("model: {type: last-value, horizons: [60]}", "model.horizons: must be less than the window, 60 rows"),
        ("model: {type: isolation-forest, samples: 2}", "model.samples: must be 16 or more"),
        ("promotion: {last: 1d, end: 2026-01-01}", "promotion.last: is instead of start and end"),
        ("promotion: {start: 2026-01-02, end: 2026-01-01}", "promotion.end: must be after start"),
        ("promotion: {asset_factor: 0.5}", "promotion.asset_factor: must be 1.0 or more"),
    ],
)
def test_settings_of_a_class_agree_with_each_other(problems, settings, problem):
    (reported,) = problems(
        f"site: p\nclasses: {{c: {{sensors: [{{name: s}}], {settings}}}}}\nassets: {{a: {{class: c}}}}",
        whole=True,
    )
    assert problem.split(": ", 1)[1] in reported and problem.split(":")[0] in reported


@pytest.mark.parametrize(
    ("sensors", "refused"),
    [
        ("[{name: s}, {name: t}]", False),
        ("[{name: s}, {name: t, role: context}]", True),
        ("[{name: s}, {name: t, role: context}, {name: u, role: scored}]", False),
    ],
)
def test_pca_q_needs_two_sensors_that_are_not_context(problems, sensors, refused):
    text = f"site: p\nclasses: {{c: {{sensors: {sensors}, model: {{type: pca-q}}}}}}\nassets: {{a: {{class: c}}}}"
    assert [problem for problem in problems(text, whole=True) if "pca-q" in problem] if refused else True
    types = ("mewma", "pca-t2", "isolation-forest", "last-value", "lstm") + (() if refused else ("pca-q",))
    for other in types:
        assert not problems(text.replace("pca-q", other), whole=True)


@pytest.mark.parametrize(
    ("assets", "problem"),
    [
        ("{a: {class: d}, b: {class: c}}", "assets.a.class: there is no class d"),
        ("{a: {class: c, tags: {z: T}}}", "assets.a.tags.z: class c has no such sensor"),
        ("{a: {class: c, tags: {s: T, t: T}}}", "assets.a.tags.t: T is the tag of s too"),
        ("{a: {class: c, tags: {s: t}}}", "assets.a.tags.s: t is the tag of t too"),
        (
            "{a: {class: c, tags: {s: T}}, b: {class: c, tags: {t: T}}}",
            "assets.b.tags.t: T is the tag of a's s too",
        ),
        (
            "{a: {class: c, normal: [{start: 2026-01-02, end: 2026-01-01}]}}",
            "assets.a.normal[0].end: must be after start",
        ),
        (
            "{a: {class: c, normal: [{start: 2026-01-01T00:00:00, end: 2026-01-01T00:01:00}]}}",
            "assets.a.normal: holds 60 rows",
        ),
        ("{'a b': {class: c}, b: {class: c}}", "assets.a b: is not a name: use letters, digits"),
    ],
)
def test_assets_match_their_class(problems, assets, problem):
    (reported,) = problems(
        f"site: p\nclasses: {{c: {{sensors: [{{name: s}}, {{name: t}}]}}}}\nassets: {assets}", whole=True
    )
    assert problem in reported


def test_a_class_without_assets_is_a_problem(problems):
    (reported,) = problems(
        "site: p\nclasses:\n  c: {sensors: [{name: s}]}\n  d: {sensors: [{name: s}]}\nassets: {a: {class: c}}",
        whole=True,
    )
    assert reported == "4:3: classes.d: this class has no asset"


def test_consequences_of_a_wrong_value_are_not_reported_too(problems):
    (reported,) = problems(
        "site: p\nclasses: {c: {sensors: [{name: s}], step: 1, max_gap: 500ms}}\nassets: {a: {class: c}}",
        whole=True,
    )
    assert "classes.c.step" in reported


def test_a_running_rule_names_a_sensor_of_the_class(problems):
    document = (
        "site: p\nclasses: {c: {sensors: [{name: current}], running: {sensor: %s, above: 5}}}\nassets: {a: {class: c}}"
    )
    assert problems(document % "current", whole=True) == []
    (reported,) = problems(document % "curent", whole=True)
    assert "classes.c.running.sensor: there is no sensor curent" in reported
    assert "current" in reported.split("curent", 1)[1]


@pytest.mark.parametrize(
    ("source", "shared"),
    [
        ("readings: {shape: wide, ts: {path: t}, asset: {file: '{stem}'}}", False),
        ("readings: {ts: {path: t}, asset: {path: a}, tag: {path: n}, value: {path: v}}", False),
        ("readings: {shape: wide, ts: {path: t}}", True),
        ("readings: {ts: {path: t}, tag: {path: n}, value: {path: v}}", True),
    ],
)
def test_assets_may_share_tags_if_all_readings_name_their_asset(problems, source, shared):
    """Exports of machines of one kind have the same columns, and their files say which machine it is."""
    reported = problems(
        f"""site: p
sources: [{{name: x, type: csv, path: x.csv, {source}}}]
classes: {{c: {{sensors: [{{name: s}}]}}}}
assets: {{a: {{class: c, tags: {{s: "P [bar]"}}}}, b: {{class: c, tags: {{s: "P [bar]"}}}}}}""",
        whole=True,
    )
    assert ("assets.b.tags.s: P [bar] is the tag of a's s too" in " ".join(reported)) == shared
    assert shared or not reported
