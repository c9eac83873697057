package omics

import (
	"encoding/json"
	"testing"
)

func TestRegistryMap(t *testing.T) {
	var m *containerRegistryMap
	if got := m.Image("ubuntu:22.04", "1", "r"); got != "ubuntu:22.04" {
		t.Errorf("without a map: %s", got)
	}
	if err := json.Unmarshal([]byte(`{
		"registryMappings": [
			{"upstreamRegistryUrl": "quay.io", "ecrRepositoryPrefix": "quay"},
			{"upstreamRegistryUrl": "https://quay.io/", "ecrRepositoryPrefix": "bio", "upstreamRepositoryPrefix": "biocontainers", "ecrAccountId": "222222222222"},
			{"upstreamRegistryUrl": "registry-1.docker.io", "ecrRepositoryPrefix": "docker-hub"}
		],
		"imageMappings": [
			{"sourceImage": "quay.io/biocontainers/bwa:0.7", "destinationImage": "registry.example.com/bwa:7"},
			{"sourceImage": "ubuntu:20.04", "destinationImage": "111111111111.dkr.ecr.us-east-1.amazonaws.com/base:20"}
		]}`), &m); err != nil {
		t.Fatal(err)
	}
	const ecr = ".dkr.ecr.us-west-2.amazonaws.com/"
	for in, want := range map[string]string{
		"quay.io/other/tool:1":                           "333333333333" + ecr + "quay/other/tool:1",
		"quay.io/biocontainers/samtools:1.17":            "222222222222" + ecr + "bio/samtools:1.17",
		"quay.io/biocontainersx/samtools":                "333333333333" + ecr + "quay/biocontainersx/samtools",
		"quay.io/biocontainers/bwa:0.7":                  "registry.example.com/bwa:7",
		"docker.io/library/ubuntu:20.04":                 "111111111111.dkr.ecr.us-east-1.amazonaws.com/base:20",
		"ubuntu:22.04":                                   "333333333333" + ecr + "docker-hub/library/ubuntu:22.04",
		"broadinstitute/gatk@sha256:0123":                "333333333333" + ecr + "docker-hub/broadinstitute/gatk@sha256:0123",
		"ghcr.io/a/b:1":                                  "ghcr.io/a/b:1",
		"localhost:5000/a:1":                             "localhost:5000/a:1",
		"444444444444.dkr.ecr.us-west-2.amazonaws.com/x": "444444444444.dkr.ecr.us-west-2.amazonaws.com/x",
	} {
		if got := m.Image(in, "333333333333", "us-west-2"); got != want {
			t.Errorf("%s becomes %s, want %s", in, got, want)
		}
	}
}
