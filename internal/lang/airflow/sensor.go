package airflow

import (
	"encoding/json"
	"fmt"
)

// sensorKeys are the arguments that every sensor takes.
func sensorKeys() []string {
	return []string{"poke_interval", "timeout", "mode", "soft_fail", "silent_fail", "never_fail", "exponential_backoff", "max_wait"}
}

func sensorKey(name string) bool {
	switch name {
	case "poke_interval", "timeout", "mode", "soft_fail", "silent_fail", "never_fail", "exponential_backoff", "max_wait":
		return true
	}
	return false
}

// sensor reads how a sensor waits: Airflow's defaults, then the operator's
// own, then what the text says.
func (c *compiler) sensor(t *task, keys []pair) *Sensor {
	s := &Sensor{PokeInterval: 60, Timeout: 7 * 24 * 3600, Mode: "poke"}
	for name, raw := range t.spec.Defaults {
		s.preset(name, raw)
	}
	var soft *value
	for _, kv := range keys {
		name, v, path := kv.key.text, kv.value, join(t.path, kv.key.text)
		switch name {
		case "poke_interval":
			s.PokeInterval = c.wait(name, v, path, s.PokeInterval)
		case "timeout":
			s.Timeout = c.wait(name, v, path, s.Timeout)
		case "max_wait":
			if v.kind != null {
				s.MaxWait = c.wait(name, v, path, 0)
			}
		case "mode":
			if !v.is("poke") && !v.is("reschedule") {
				c.fault(v, path, say{public: fmt.Sprintf("The mode must be one of ['poke', 'reschedule'],'%s .%s'; received '%s'.", t.dag, t.id, Clip(v.plain(), 200)),
					message: fmt.Sprintf("mode is poke or reschedule, not %s", v.repr()), fix: "write reschedule to wait long, poke otherwise"})
				continue
			}
			s.Mode = v.text
			if t.spec.PokeOnly && s.Mode != "poke" {
				c.fault(v, path, say{public: fmt.Sprintf("Cannot set mode to '%s'. Only 'poke' is acceptable", s.Mode),
					message: fmt.Sprintf("%s keeps what it saw between two looks, which only mode poke does", t.class), fix: "write poke"})
			}
		case "soft_fail":
			s.SoftFail = c.flag(v, path)
			soft = kv.key
		case "silent_fail":
			s.SilentFail = c.flag(v, path)
		case "never_fail":
			s.NeverFail = c.flag(v, path)
			soft = kv.key
		case "exponential_backoff":
			s.ExponentialBackoff = c.flag(v, path)
		}
	}
	if s.SoftFail && s.NeverFail {
		c.fault(soft, join(t.path, "soft_fail"), say{public: "soft_fail and never_fail are mutually exclusive, you can not provide both.",
			message: "soft_fail and never_fail exclude each other", fix: "keep soft_fail to skip on a timeout, never_fail to skip on any error"})
	}
	return s
}

// wait reads a sensor's number of seconds.
func (c *compiler) wait(name string, v *value, path string, otherwise float64) float64 {
	n, ok := v.number()
	if v.kind == delta {
		n, ok = v.num, true
	}
	if !ok || n < 0 {
		c.fault(v, path, say{public: fmt.Sprintf("Operator arg `%s` must be timedelta object or a non-negative number", name),
			message: fmt.Sprintf("%s must be a number of seconds or a timedelta, not %s", name, v.repr())})
		return otherwise
	}
	return n
}

// flag reads a boolean; Python takes any value for one.
func (c *compiler) flag(v *value, path string) bool {
	if v.kind != boolean {
		c.caution(v, path, say{message: fmt.Sprintf("expected true or false, not %s, which counts as %t", v.repr(), v.truthy())})
	}
	return v.truthy()
}

// preset applies an operator's own default.
func (s *Sensor) preset(name string, raw json.RawMessage) {
	var to any
	switch name {
	case "poke_interval":
		to = &s.PokeInterval
	case "timeout":
		to = &s.Timeout
	case "mode":
		to = &s.Mode
	case "soft_fail":
		to = &s.SoftFail
	case "silent_fail":
		to = &s.SilentFail
	case "never_fail":
		to = &s.NeverFail
	case "exponential_backoff":
		to = &s.ExponentialBackoff
	case "max_wait":
		to = &s.MaxWait
	default:
		return
	}
	// The table is checked where it is made; a default that does not fit
	// leaves Airflow's.
	_ = json.Unmarshal(raw, to)
}

// arguments adds how a sensor waits to the arguments of its constructor. A nil
// sensor is an operator, which does not wait.
func (s *Sensor) arguments(args map[string]json.RawMessage) {
	if s == nil {
		return
	}
	for name, v := range map[string]any{
		"poke_interval": s.PokeInterval, "timeout": s.Timeout, "mode": s.Mode, "soft_fail": s.SoftFail,
		"silent_fail": s.SilentFail, "never_fail": s.NeverFail, "exponential_backoff": s.ExponentialBackoff,
	} {
		args[name] = encode(v)
	}
	if s.MaxWait > 0 {
		args["max_wait"] = encode(s.MaxWait)
	}
}
