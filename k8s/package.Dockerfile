# A model package as an image, for image volumes (Kubernetes 1.35; 1.33 and 1.34 behind the feature gate ImageVolume):
#   docker build -f k8s/package.Dockerfile -t registry.example/packages/objects:1.1.0 models/objects/1.1.0
FROM scratch
COPY . /
