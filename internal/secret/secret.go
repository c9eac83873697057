// Package secret keeps values that tasks need and nobody else may see, in one
// encrypted file, and knows in which forms a value may turn up in a text. It
// does not know who may read which.
package secret

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/rand"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"time"

	"fairlead/internal/flow"
)

// Kinds are what names begin with, before a slash.
var kinds = [...]string{Variables, Connections, Environment}

// The kinds of secrets.
const (
	Variables   = "variables"   // Airflow's
	Connections = "connections" // Airflow's: a URI or JSON
	Environment = "environment" // variables of a task's processes
)

const (
	// MaxValue bounds a value in bytes.
	MaxValue = 8 << 10
	maxName  = 200
	maxCount = 1000
	maxFile  = 16 << 20
)

// A Vault is a file of secrets. Its methods may be called at once from many
// goroutines and processes.
type Vault struct {
	path, keyPath string
	key           []byte // nil: that of keyPath

	mu     sync.Mutex // guards what follows
	seen   stamp
	values map[string]string
}

type stamp struct {
	size int64
	at   time.Time
}

// Open returns the vault of a directory, which need not have one yet. key is
// 32 bytes in base64; if it is empty, the key is in a file beside the vault,
// made with the first secret.
func Open(dir, key string) (*Vault, error) {
	v := &Vault{path: filepath.Join(dir, "secrets"), keyPath: filepath.Join(dir, "secrets.key")}
	if key != "" {
		raw, err := base64.StdEncoding.DecodeString(key)
		if err != nil || len(raw) != 32 {
			return nil, errors.New("the key of the secrets must be 32 bytes in base64: make one with `openssl rand -base64 32`")
		}
		v.key = raw
	}
	return v, nil
}

// CheckName refuses a name that is not one.
func CheckName(name string) error {
	kind, rest, ok := strings.Cut(name, "/")
	if !ok || !slices.Contains(kinds[:], kind) || rest == "" || len(rest) > maxName {
		return flow.Errorf(flow.Invalid, "%.80q is no name of a secret; expected variables/KEY, connections/ID or environment/NAME", name)
	}
	if strings.ContainsAny(rest, "=\x00\n\r") {
		return flow.Errorf(flow.Invalid, "the name %.80q has a character that no environment variable may have", name)
	}
	if up := strings.ToUpper(rest); kind == Environment && (strings.HasPrefix(up, "AWS_") || strings.HasPrefix(up, "AIRFLOW__") || strings.HasPrefix(up, "FAIRLEAD_")) {
		return flow.Errorf(flow.Invalid, "%.80q is reserved: names that begin with AWS_, AIRFLOW__ or FAIRLEAD_ are", rest)
	}
	return nil
}

// Values returns all secrets by name. The caller must not change them.
func (v *Vault) Values() (map[string]string, error) {
	v.mu.Lock()
	defer v.mu.Unlock()
	var s stamp
	fi, err := os.Stat(v.path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil, nil
	case err != nil:
		return nil, err
	}
	s = stamp{fi.Size(), fi.ModTime()}
	if v.values == nil || s != v.seen {
		values, err := v.read()
		if err != nil {
			return nil, err
		}
		v.values, v.seen = values, s
	}
	return v.values, nil
}

// Set keeps a value under a name, in place of one that is there.
func (v *Vault) Set(name, value string) error {
	if err := CheckName(name); err != nil {
		return err
	}
	if value == "" || len(value) > MaxValue || strings.Contains(value, "\x00") {
		return flow.Errorf(flow.Invalid, "a value has %d bytes; expected 1 to %d, none of them NUL", len(value), MaxValue)
	}
	return v.change(func(values map[string]string) error {
		if _, there := values[name]; !there && len(values) >= maxCount {
			return flow.Errorf(flow.Quota, "there are %d secrets already, and there may not be more", maxCount)
		}
		values[name] = value
		return nil
	})
}

// Remove takes a secret away. One that is not there is a flow.NotFound.
func (v *Vault) Remove(name string) error {
	return v.change(func(values map[string]string) error {
		if _, ok := values[name]; !ok {
			return flow.Errorf(flow.NotFound, "there is no secret %.80q", name)
		}
		delete(values, name)
		return nil
	})
}

// change replaces the file by what f makes of its content.
func (v *Vault) change(f func(map[string]string) error) error {
	v.mu.Lock()
	defer v.mu.Unlock()
	lock, err := os.OpenFile(v.path+".lock", os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return err
	}
	defer lock.Close()
	if err := syscall.Flock(int(lock.Fd()), syscall.LOCK_EX); err != nil {
		return fmt.Errorf("lock %s: %w", v.path, err)
	}
	values, err := v.read()
	if errors.Is(err, fs.ErrNotExist) {
		values, err = map[string]string{}, nil
	}
	if err != nil {
		return err
	}
	values = maps.Clone(values)
	if err := f(values); err != nil {
		return err
	}
	v.values = nil
	return v.write(values)
}

// header begins the file: it says what follows.
const header = "fairlead secrets 1\n"

func (v *Vault) read() (map[string]string, error) {
	f, err := os.Open(v.path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	text, err := io.ReadAll(io.LimitReader(f, maxFile+1))
	if err != nil {
		return nil, err
	}
	sealed, ok := strings.CutPrefix(string(text), header)
	if !ok || len(text) > maxFile {
		return nil, fmt.Errorf("%s is no file of secrets that this version can read", v.path)
	}
	seal, err := v.seal(false)
	if err != nil {
		return nil, err
	}
	n := seal.NonceSize()
	if len(sealed) < n {
		return nil, fmt.Errorf("%s is cut off", v.path)
	}
	plain, err := seal.Open(nil, []byte(sealed[:n]), []byte(sealed[n:]), []byte(header))
	if err != nil {
		return nil, fmt.Errorf("%s cannot be decrypted: the key is another one, or the file is damaged", v.path)
	}
	values := map[string]string{}
	if err := json.Unmarshal(plain, &values); err != nil {
		return nil, fmt.Errorf("%s has no secrets in it", v.path) // and the error might show some
	}
	return values, nil
}

func (v *Vault) write(values map[string]string) error {
	plain, err := json.Marshal(values)
	if err != nil {
		return err
	}
	seal, err := v.seal(true)
	if err != nil {
		return err
	}
	nonce := make([]byte, seal.NonceSize())
	_, _ = rand.Read(nonce) // never fails
	text := append([]byte(header), nonce...)
	return replace(v.path, seal.Seal(text, nonce, plain, []byte(header)))
}

// seal returns the cipher. make says that a key may be made.
func (v *Vault) seal(make bool) (cipher.AEAD, error) {
	key, err := v.secretKey(make)
	if err != nil {
		return nil, err
	}
	block, err := aes.NewCipher(key)
	if err != nil {
		return nil, err
	}
	return cipher.NewGCM(block)
}

func (v *Vault) secretKey(fresh bool) ([]byte, error) {
	if v.key != nil {
		return v.key, nil
	}
	text, err := os.ReadFile(v.keyPath)
	if errors.Is(err, fs.ErrNotExist) && fresh {
		if _, there := os.Stat(v.path); there == nil {
			return nil, fmt.Errorf("%s has secrets, and their key is not in %s: name it in FAIRLEAD_SECRET_KEY", v.path, v.keyPath)
		}
		key := make([]byte, 32)
		_, _ = rand.Read(key) // never fails
		return key, replace(v.keyPath, []byte(base64.StdEncoding.EncodeToString(key)+"\n"))
	}
	if err != nil {
		return nil, fmt.Errorf("read the key of the secrets: %w", err)
	}
	key, err := base64.StdEncoding.DecodeString(strings.TrimSpace(string(text)))
	if err != nil || len(key) != 32 {
		return nil, fmt.Errorf("%s is not a key of 32 bytes in base64", v.keyPath)
	}
	return key, nil
}

// replace writes a file so that there is the old or the new one whole.
func replace(path string, data []byte) error {
	f, err := os.CreateTemp(filepath.Dir(path), filepath.Base(path)+".") // mode 0600
	if err != nil {
		return err
	}
	defer os.Remove(f.Name())
	_, err = f.Write(data)
	if err = errors.Join(err, f.Sync(), f.Close()); err != nil {
		return err
	}
	return os.Rename(f.Name(), path)
}

// Variable returns the environment variable by which a task finds a secret.
func Variable(name string) string {
	kind, rest, _ := strings.Cut(name, "/")
	switch kind {
	case Variables:
		return "AIRFLOW_VAR_" + strings.ToUpper(rest)
	case Connections:
		return "AIRFLOW_CONN_" + strings.ToUpper(rest)
	}
	return rest
}
