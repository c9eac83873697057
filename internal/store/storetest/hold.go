package storetest

import (
	"context"
	"errors"

	"fairlead/internal/store"
)

func oneHolder(w world) {
	release, err := w.db.Hold(w.ctx)
	if err != nil {
		w.Fatal(err)
	}
	now, cancel := context.WithCancel(w.ctx)
	cancel() // without patience
	if _, err := w.db.Hold(now); !errors.Is(err, store.ErrHeld) {
		w.Errorf("a second Hold: got %v, want ErrHeld", err)
	}
	if err := release(); err != nil {
		w.Fatal(err)
	}
	again, err := w.db.Hold(w.ctx)
	if err != nil {
		w.Fatalf("Hold after release: %v", err)
	}
	if err := again(); err != nil {
		w.Fatal(err)
	}
}
