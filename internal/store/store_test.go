package store_test

import (
	"testing"

	"fairlead/internal/store"
	"fairlead/internal/store/storetest"
)

func TestSQLite(t *testing.T) {
	storetest.Run(t, func(t *testing.T) *store.DB { return storetest.Open(t) })
}
