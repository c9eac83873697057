package jinja

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"
)

// world is what the tests' templates see.
func world(t testing.TB) VarMap {
	v, err := FromJSON(json.RawMessage(`{"l": [3, 1, 2], "d": {"b": 2, "a": 1}, "s": "text", "big": 123456789012345678901234567890}`))
	if err != nil {
		t.Fatal(err)
	}
	return VarMap{"params": v, "ds": Str("2026-11-21"), "datetime": TypeDateTime, "timedelta": TypeDelta}
}

func render(t testing.TB, src string, limits Limits) (string, error) {
	tmpl, err := NewEnv().Parse(src)
	if err != nil {
		return "", err
	}
	return tmpl.Render(world(t), limits)
}

func TestRender(t *testing.T) {
	for _, tt := range []struct{ in, want string }{
		{"plain\r\ntext\n", "plain\ntext"},
		{"{{ ds }}", "2026-11-21"},
		{"a {%- if true -%} b {%- endif %} c", "ab c"},
		{"{% raw %}{{ x }}{% endraw %}", "{{ x }}"},
		{"{{ params.big * 2 }} {{ 2 ** 100 }} {{ -7 // 2 }} {{ -7 % 3 }}", "246913578024691357802469135780 1267650600228229401496703205376 -4 2"},
		{"{{ [1.0, 1e16, 1e-5, 0.1 + 0.2] }}", "[1.0, 1e+16, 1e-05, 0.30000000000000004]"},
		{"{{ ['it\\'s', \"a\\\"b\", '\\u200b', 'é'] }}", `["it's", 'a"b', '\u200b', 'é']`},
		{"{{ params.l | sort | map('string') | join('-') }}", "1-2-3"},
		{"{{ 'éàü'[::-1] }} {{ 'straße'.upper() }} {{ 'ΣΑΣ'.lower() }}", "üàé STRASSE σας"},
		{"{% set ns = namespace(n=0) %}{% for x in params.l %}{% set ns.n = ns.n + x %}{% endfor %}{{ ns.n }}", "6"},
		{"{% macro m(a, b=2) %}{{ a }}{{ b }}{{ varargs }}{% endmacro %}{{ m(1) }}{{ m(1, 3, 4) }}", "12()13(4,)"},
		{"{% for x in [1, [2, [3]]] recursive %}{% if x is iterable %}({{ loop(x) }}){% else %}{{ x }}{% endif %}{% endfor %}", "1(2(3))"},
		{"{{ '{:>8,.2f}|{!r:^5}|{0[1]}'.format(1234.5, 'a') if false }}", ""},
		{"{{ '{:>8,.2f}|{!r:^5}'.format(1234.5, 'a') }} {{ '%05.1f|%-4s|' % (2.25, 'x') }}", "1,234.50| 'a'  002.2|x   |"},
		{"{{ datetime(2024, 2, 28) + timedelta(days=2) }} {{ datetime(2026, 3, 5).strftime('%j %U %V %-d') }}", "2024-03-01 00:00:00 064 09 10 5"},
		{"{{ datetime.strptime('21/Nov/26', '%d/%b/%y').isoformat() }}", "2026-11-21T00:00:00"},
		{"{{ {'b': [1, none], 'a': '<é>'} | tojson }}", `{"a": "\u003c\u00e9\u003e", "b": [1, null]}`},
	} {
		if got, err := render(t, tt.in, Limits{}); err != nil || got != tt.want {
			t.Errorf("render(%q)\ngot  %q, %v\nwant %q", tt.in, got, err, tt.want)
		}
	}
}

func TestErrors(t *testing.T) {
	for _, tt := range []struct {
		in   string
		want Error
	}{
		{"{{ x }}", Error{"UndefinedError", "'x' is undefined", 1}},
		{"\n{{ params.d.x }}", Error{"UndefinedError", "'dict object' has no attribute 'x'", 2}},
		{"{{ params.l[9] }}", Error{"UndefinedError", "list object has no element 9", 1}},
		{"a\n{% if %}", Error{"TemplateSyntaxError", "Expected an expression, got 'end of statement block'", 2}},
		{"{% for x in y %}", Error{"TemplateSyntaxError", "Unexpected end of template. Jinja was looking for the following tags: 'endfor' or 'else'. The innermost block that needs to be closed is 'for'.", 1}},
		{"{{ 1 | nope }}", Error{"TemplateAssertionError", "No filter named 'nope'.", 1}},
		{"{{ ''.__class__ }}", Error{"SecurityError", "access to attribute '__class__' of 'str' object is unsafe.", 1}},
		{"{{ 1 + 'a' }}", Error{"TypeError", "unsupported operand type(s) for +: 'int' and 'str'", 1}},
		{"{{ [].pop() }}", Error{"IndexError", "pop from empty list", 1}},
		{"{% include 'x' %}", Error{"TypeError", "no loader for this environment specified", 1}},
	} {
		_, err := render(t, tt.in, Limits{})
		e, ok := errors.AsType[*Error](err)
		if !ok || *e != tt.want {
			t.Errorf("render(%q)\ngot  %v\nwant %v", tt.in, err, &tt.want)
		}
	}
}

// What would run, grow or nest for ever ends in an error instead.
func TestBounds(t *testing.T) {
	deep := strings.Repeat("[", 5000) + strings.Repeat("]", 5000)
	for _, tt := range []struct{ name, in, want string }{
		{"steps", "{% for a in range(100000) %}{% for b in range(100000) %}{% endfor %}{% endfor %}", "exceeded"},
		{"text", "{{ 'x' * 10 ** 12 }}", "exceeded"},
		{"text by doubling", "{% set ns = namespace(s='x') %}{% for i in range(99) %}{% set ns.s = ns.s ~ ns.s %}{% endfor %}", "exceeded"},
		{"list", "{{ [1] * 10 ** 12 }}", "exceeded"},
		{"list that is read while it grows", "{% for x in params.l %}{% do params.l.append(x) %}{% endfor %}", "exceeded"},
		{"output", "{% for i in range(100000) %}" + strings.Repeat("x", 1000) + "{% endfor %}", "bytes of output"},
		{"power", "{{ 9 ** 999999 }}", "bits"},
		{"factorial", "{% set ns = namespace(n=1) %}{% for i in range(1, 99999) %}{% set ns.n = ns.n * i %}{% endfor %}", "exceeded"},
		{"digits of an int", "{{ 10 ** 5000 }}", "4300 digits"},
		{"range", "{{ range(10 ** 9) }}", "Range too big"},
		{"width", "{{ '%1000000000d' % 1 }}", "exceeded"},
		{"format width", "{{ '{:999999999}'.format(1) }}", "exceeded"},
		{"center", "{{ 'x' | center(10 ** 12) }}", "exceeded"},
		{"indent", "{{ 'x\\ny' | indent(10 ** 12) }}", "exceeded"},
		{"join", "{{ range(100000) | join('x' * 10000) }}", "exceeded"},
		{"replace", "{{ ('x' * 1000000) | replace('x', 'y' * 10000) }}", "exceeded"},
		{"batch", "{{ [1] | batch(10 ** 12, 'x') | list }}", "exceeded"},
		{"tojson", "{{ [[1]] | tojson(10 ** 12) }}", "exceeded"},
		{"macro", "{% macro m() %}{{ m() }}{% endmacro %}{{ m() }}", "recursion"},
		{"loop", "{% set l = [] %}{% do l.append(l) %}{% for x in l recursive %}{{ loop(x) }}{% endfor %}", "recursion"},
		{"expressions within macros", "{% macro m() %}{{ " + strings.Repeat("[", 150) + "1" + strings.Repeat(" + 1", 500) + " + m()" + strings.Repeat("]", 150) + " }}{% endmacro %}{{ m() }}", "recursion"},
		{"block", "{% block b %}{{ self.b() }}{% endblock %}", "recursion"},
		{"equality", "{% set a = [] %}{% do a.append(a) %}{% set b = [] %}{% do b.append(b) %}{{ a == b }}", "recursion"},
		{"json", "{% set a = [] %}{% do a.append(a) %}{{ a | tojson }}", "Circular"},
		{"nesting", "{{ " + deep + " }}", "nesting"},
		{"parentheses", "{{ " + strings.Repeat("(", 5000) + " }}", "nesting"},
		{"unary", "{{ " + strings.Repeat("-", 5000) + "1 }}", "nesting"},
		{"chain", "{{ 1" + strings.Repeat("+1", 50000) + " }}", "in a row"},
		{"blocks", strings.Repeat("{% if 1 %}", 5000), "nesting"},
		{"source", "{{" + strings.Repeat(" ", maxSource) + "1 }}", "bytes of source"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			start := time.Now()
			_, err := render(t, tt.in, Limits{})
			if err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("got %v, want an error with %q", err, tt.want)
			}
			t.Logf("%s, %v", time.Since(start).Round(time.Millisecond), err)
		})
	}
}

func TestContainerWithin(t *testing.T) {
	got, err := render(t, "{% set l = [1] %}{% do l.append(l) %}{% set d = {} %}{% do d.update(d=d) %}{{ l }} {{ d }}", Limits{})
	if want := "[1, [...]] {'d': {...}}"; err != nil || got != want {
		t.Errorf("got %q, %v, want %q", got, err, want)
	}
}

// One template may be rendered by many at once; run with -race.
func TestConcurrentRenders(t *testing.T) {
	tmpl, err := NewEnv().Parse("{% macro m(x) %}{{ x }}{% endmacro %}{% for x in params.l | sort %}{{ m(x) }}{{ loop.index }}{% endfor %}")
	if err != nil {
		t.Fatal(err)
	}
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			for range 50 {
				if got, err := tmpl.Render(world(t), Limits{}); err != nil || got != "112233" {
					t.Errorf("got %q, %v, want 112233", got, err)
				}
			}
		})
	}
	wg.Wait()
}

func TestJSONRoundTrip(t *testing.T) {
	for _, in := range []string{
		`{"b":1,"a":[1.0,1e+16,123456789012345678901234567890,null,true,"é<>\n"]}`, `1.5`, `""`, `[]`, `{}`,
	} {
		v, err := FromJSON(json.RawMessage(in))
		if err != nil {
			t.Fatalf("FromJSON(%s): %v", in, err)
		}
		out, err := ToJSON(v)
		got := strings.NewReplacer(", ", ",", ": ", ":").Replace(string(out))
		if err != nil || got != in {
			t.Errorf("ToJSON(FromJSON(%s))\ngot  %s, %v", in, got, err)
		}
	}
	for _, in := range []string{``, `{`, `[1`, `1 2`, `nope`, strings.Repeat("[", 5000), `{"a" 1}`} {
		if v, err := FromJSON(json.RawMessage(in)); err == nil {
			t.Errorf("FromJSON(%.20q): got %v, want an error", in, v)
		}
	}
	if out, err := ToJSON(Float(0)); err != nil || string(out) != "0.0" {
		t.Errorf("ToJSON(0.0): got %s, %v", out, err)
	}
	if out, err := ToJSON(TypeDate); err == nil {
		t.Errorf("ToJSON(a class): got %s, want an error", out)
	}
}

// A template, whatever it is, gives text or an error, and does so in bounded
// time.
func FuzzRender(f *testing.F) {
	for _, s := range []string{
		"{{ params.l | sort | join(',') }}", "{% for x in params.l recursive %}{{ loop(x) }}{% endfor %}",
		"{% macro m(a, b=1) %}{{ caller() }}{% endmacro %}{% call m(1) %}x{% endcall %}",
		"{{ '{:>{w}.2f} {0[a].b!r:^5}'.format(1.5, w=5) }}", "{{ '%(a)s %*d' % {'a': 1} }}",
		"{{ datetime.strptime('2026', '%Y').strftime('%c %10d %^a') }}", "{{ datetime.fromisoformat('2026-W01-1T10:00:00.5+01:00') - timedelta(1.5) }}",
		"{{ params.big ** 3 // 7 % -5 }} {{ 1e308 * 10 }} {{ 0x1F_F }}", "{%- raw -%} {{ {% endraw +%}{# c -#}",
		"{{ 'aXb'.split('X', -1)[::-1] | batch(2, 'f') | map('first') | list | pprint }}", "{{ params | tojson(2) | urlize | indent | wordwrap(5) | truncate(9, true, '') | striptags | xmlattr }}",
		"{% set ns.x, y = 1, [2] %}{% with a = 1 %}{% filter upper %}{% block b %}{{ self.b() }}{% endblock %}{% endfilter %}{% endwith %}",
		"{% autoescape true %}{{ '<' | safe ~ '>' }}{% endautoescape %}", "{{ [params] * 3 == params.l[-5:5:2] if x is defined else 1 is divisibleby 0 }}",
		"{{ params.d.items() | groupby(1) | dictsort(by='value') }}", "{{ '\\x41\\u00e9\\N{DASH}' }}", "{{ range(5, 0, -1)[1:] | round(-2, 'ceil') }}",
	} {
		f.Add(s)
	}
	env := NewEnv()
	f.Fuzz(func(t *testing.T, src string) {
		start := time.Now()
		defer func() {
			if d := time.Since(start); d > time.Minute { // bounds hold; the machine may be slow
				t.Errorf("template %q took %s", src, d)
			}
		}()
		tmpl, err := env.Parse(src)
		if err == nil {
			_, err = tmpl.Render(world(t), Limits{Steps: 100_000, Memory: 8 << 20, Output: 1 << 20})
		}
		if e, ok := errors.AsType[*Error](err); err != nil && (!ok || strings.Contains(e.Message, "interpreter failed")) {
			t.Errorf("template %q: %v", src, err)
		}
	})
}

func BenchmarkRender(b *testing.B) {
	vars := world(b)
	for _, src := range []string{"plain", "{{ ds }}", "s3://{{ params.s }}/{{ ds }}/{{ params.l | join('-') }}"} {
		tmpl, err := NewEnv().Parse(src)
		if err != nil {
			b.Fatal(err)
		}
		b.Run(fmt.Sprintf("%.20s", src), func(b *testing.B) {
			for b.Loop() {
				if _, err := tmpl.Render(vars, Limits{}); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

func BenchmarkParse(b *testing.B) {
	env := NewEnv()
	for b.Loop() {
		if _, err := env.Parse("s3://{{ params.s }}/{{ ds }}/{{ params.l | join('-') }}"); err != nil {
			b.Fatal(err)
		}
	}
}
