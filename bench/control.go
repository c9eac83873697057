package main

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	v4 "github.com/aws/aws-sdk-go-v2/aws/signer/v4"
)

// serveControl is the least that a server of signed requests can be: it reads
// the body, signs the request once more as aws-sdk-go-v2 does, compares, and
// answers what the query asks for: so many bytes. It prints its address.
func serveControl(key, secret string) error {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	fmt.Println(l.Addr())
	signer, creds := v4.NewSigner(), aws.Credentials{AccessKeyID: key, SecretAccessKey: secret}
	answer := []byte(`{"Body":"` + strings.Repeat("x", controlBytes) + `"}`)
	return http.Serve(l, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(io.LimitReader(r.Body, 1<<20))
		if err == nil {
			err = signedBy(signer, creds, r, body)
		}
		if err != nil {
			http.Error(w, err.Error(), http.StatusForbidden)
			return
		}
		w.Header().Set("Content-Type", "application/x-amz-json-1.0")
		_, _ = w.Write(answer)
	}))
}

// controlBytes is about the length of an answer to GetTaskInstance.
const controlBytes = 600

func signedBy(signer *v4.Signer, creds aws.Credentials, r *http.Request, body []byte) error {
	auth := r.Header.Get("Authorization")
	_, list, _ := strings.Cut(auth, "SignedHeaders=")
	list, _, _ = strings.Cut(list, ",")
	at, err := time.Parse("20060102T150405Z", r.Header.Get("X-Amz-Date"))
	if err != nil {
		return err
	}
	if age := time.Since(at).Abs(); age > 5*time.Minute {
		return fmt.Errorf("signed %s ago", age)
	}
	again := &http.Request{Method: r.Method, URL: r.URL, Host: r.Host, Header: http.Header{}, ContentLength: r.ContentLength}
	for name := range strings.SplitSeq(list, ";") {
		if v := r.Header.Values(name); len(v) > 0 {
			again.Header[http.CanonicalHeaderKey(name)] = v
		}
	}
	sum := sha256.Sum256(body)
	if err := signer.SignHTTP(r.Context(), creds, again, hex.EncodeToString(sum[:]), service, region, at); err != nil {
		return err
	}
	if again.Header.Get("Authorization") != auth {
		return fmt.Errorf("the signature does not match")
	}
	return nil
}

const service = "airflow-serverless"

// startControl runs serveControl in a process of its own, as the server under
// measurement is, and returns its URL.
func startControl(key, secret string) (url string, process *os.Process, stop func(), err error) {
	self, err := os.Executable()
	if err != nil {
		return "", nil, nil, err
	}
	cmd := exec.Command(self, "-control", key+":"+secret)
	cmd.Stderr = os.Stderr
	out, err := cmd.StdoutPipe()
	if err != nil {
		return "", nil, nil, err
	}
	if err := cmd.Start(); err != nil {
		return "", nil, nil, err
	}
	stop = func() { _ = cmd.Process.Kill(); _ = cmd.Wait() }
	var addr string
	if _, err := fmt.Fscan(out, &addr); err != nil {
		stop()
		return "", nil, nil, fmt.Errorf("the control does not come up: %w", err)
	}
	return "http://" + addr, cmd.Process, stop, nil
}

// A signed request can be sent many times: it is good for five minutes, and
// signing it each time would measure the client.
type signed struct {
	url    string
	header http.Header
	body   []byte
}

func sign(s *server, url, op string, body []byte) (signed, error) {
	r, err := http.NewRequest(http.MethodPost, url+"/", bytes.NewReader(body))
	if err != nil {
		return signed{}, err
	}
	r.Header.Set("Content-Type", "application/x-amz-json-1.0")
	r.Header.Set("X-Amz-Target", "AmazonMWAAServerless."+op)
	sum := sha256.Sum256(body)
	err = v4.NewSigner().SignHTTP(context.Background(), aws.Credentials{AccessKeyID: s.key, SecretAccessKey: s.secret}, r,
		hex.EncodeToString(sum[:]), service, region, time.Now())
	return signed{url + "/", r.Header, body}, err
}

func (q signed) send(c *http.Client) error {
	r, err := http.NewRequest(http.MethodPost, q.url, bytes.NewReader(q.body))
	if err != nil {
		return err
	}
	r.Header = q.header
	resp, err := c.Do(r)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	if err == nil && resp.StatusCode != http.StatusOK {
		err = fmt.Errorf("%s: %s", resp.Status, text)
	}
	return err
}

// rawSpawns runs bash -c true n times in new pid, mount, ipc and uts
// namespaces, some at once, and returns the time that took.
func rawSpawns(n, atOnce int) (time.Duration, error) {
	var wg sync.WaitGroup
	jobs := make(chan struct{})
	errs := make(chan error, atOnce)
	began := time.Now()
	for range atOnce {
		wg.Go(func() {
			for range jobs {
				cmd := exec.Command("/bin/bash", "-c", "true")
				cmd.SysProcAttr = &syscall.SysProcAttr{
					Cloneflags: syscall.CLONE_NEWPID | syscall.CLONE_NEWNS | syscall.CLONE_NEWIPC | syscall.CLONE_NEWUTS,
				}
				if err := cmd.Run(); err != nil {
					select {
					case errs <- err:
					default:
					}
				}
			}
		})
	}
	for range n {
		jobs <- struct{}{}
	}
	close(jobs)
	wg.Wait()
	took := time.Since(began)
	select {
	case err := <-errs:
		return 0, fmt.Errorf("raw spawn in namespaces: %w", err)
	default:
		return took, nil
	}
}

// rawFsync returns the median time of appending 4 KiB and an fsync.
func rawFsync(dir string) (time.Duration, error) {
	f, err := os.Create(filepath.Join(dir, "fsync"))
	if err != nil {
		return 0, err
	}
	defer f.Close()
	var times []time.Duration
	page := make([]byte, 4096)
	for range 500 {
		began := time.Now()
		if _, err := f.Write(page); err != nil {
			return 0, err
		}
		if err := f.Sync(); err != nil {
			return 0, err
		}
		times = append(times, time.Since(began))
	}
	return median(times), nil
}
