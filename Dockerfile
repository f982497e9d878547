# The images: `make images` builds all of them here; elsewhere, for example,
#   docker build --target detector --build-arg BASE=python:3.11-slim .
# Targets: gateway; classifier, captioner, detector, each with a model package; service, with none.
# Layers from what changes least to what changes most often: a change of code builds one small layer.

# Debian or Ubuntu with Python 3.11 or newer as `python3`, and its venv.
ARG BASE=python:3.11-slim
# requirements/cuda.txt: the same with onnxruntime-gpu and the CUDA libraries that it needs.
ARG REQUIREMENTS=requirements/serve.txt

FROM ${BASE} AS environment
ARG REQUIREMENTS
RUN python3 -m venv --without-pip /environment && python3 -m venv /tools
COPY ${REQUIREMENTS} /requirements.txt
RUN /tools/bin/pip --python /environment/bin/python install \
        --no-cache-dir --no-deps --require-hashes --only-binary :all: -r /requirements.txt
# The gateway loads no model: what does stands apart.
RUN mkdir /runtime && cd /environment/lib/python3.*/site-packages && \
    for name in onnxruntime* flatbuffers* nvidia*; do \
        if [ -e "$name" ]; then mv "$name" /runtime; fi; done

FROM ${BASE} AS stubs
RUN python3 -m venv /protos
COPY requirements/protos.txt /requirements/
RUN /protos/bin/pip install --no-cache-dir --require-hashes -r /requirements/protos.txt
COPY protos /source
COPY gateway/externalscaler/externalscaler.proto /source/gateway/externalscaler/
RUN mkdir /stubs && cd /protos/lib/python3.*/site-packages && /protos/bin/python \
        -m grpc_tools.protoc -I /source -I . --python_out=/stubs --grpc_python_out=/stubs \
        /source/trilens/v1/*.proto /source/gateway/externalscaler/*.proto

FROM environment AS code
COPY client/trilens /app/trilens
COPY --from=stubs /stubs/trilens/v1 /app/trilens/v1
COPY chassis /app/chassis
COPY services /app/services
COPY gateway /app/gateway
COPY --from=stubs /stubs/gateway/externalscaler /app/gateway/externalscaler
COPY LICENSE NOTICE /app/
# Compiled here: no process may write there. Unchecked: the times of files mean nothing in layers.
RUN /environment/bin/python -m compileall -q --invalidation-mode unchecked-hash /app

FROM ${BASE} AS process
LABEL org.opencontainers.image.title="Trilens" \
      org.opencontainers.image.description="A vision API: one gRPC call, three models"
COPY --from=environment /environment /environment
ENV PATH=/environment/bin:$PATH PYTHONPATH=/app PYTHONDONTWRITEBYTECODE=1 TRILENS_HOST=0.0.0.0
WORKDIR /app
USER 65532:65532
EXPOSE 50051 50052 9090

FROM process AS gateway
COPY --from=code /app/trilens /app/trilens
COPY --from=code /app/chassis /app/chassis
COPY --from=code /app/gateway /app/gateway
COPY --from=code /app/LICENSE /app/NOTICE /app/
ENTRYPOINT ["python", "-m", "gateway"]

FROM process AS service
ENV PYTHONPATH=/app:/runtime ORT_DISABLE_TELEMETRY=1
COPY --from=environment /runtime /runtime
COPY --from=code /app/trilens /app/trilens
COPY --from=code /app/chassis /app/chassis
COPY --from=code /app/services /app/services
COPY --from=code /app/LICENSE /app/NOTICE /app/

FROM service AS classifier
ARG MODEL=attributes/1.1.0
COPY models/${MODEL} /models/${MODEL}
ENV TRILENS_MODEL=/models/${MODEL}
ENTRYPOINT ["python", "-m", "services.classifier"]

FROM service AS captioner
ARG MODEL=captions/1.1.0
COPY models/${MODEL} /models/${MODEL}
ENV TRILENS_MODEL=/models/${MODEL}
ENTRYPOINT ["python", "-m", "services.captioner"]

FROM service AS detector
ARG MODEL=objects/1.1.0
COPY models/${MODEL} /models/${MODEL}
ENV TRILENS_MODEL=/models/${MODEL}
ENTRYPOINT ["python", "-m", "services.detector"]
