package ops

// events says how the sinks of events stand.
func (d *Door) events(r *request) (any, error) {
	sinks, err := d.Events.Statuses(r.Context())
	return map[string]any{"sinks": sinks}, err
}

// dead lists dead letters, the oldest first.
func (d *Door) dead(r *request) (any, error) {
	limit, err := r.number("limit", 100, 1000)
	if err != nil {
		return nil, err
	}
	letters, err := d.Events.Dead(r.PathValue("sink"), limit)
	return map[string]any{"letters": letters}, err
}

// redrive has dead letters sent again.
func (d *Door) redrive(r *request) (any, error) {
	if _, err := r.asker(); err != nil {
		return nil, err
	}
	n, err := d.Events.Redrive(r.Context(), r.PathValue("sink"))
	return map[string]any{"delivered": n}, err
}
