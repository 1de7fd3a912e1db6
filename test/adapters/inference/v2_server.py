"""A KServe server (Open Inference Protocol v2) of one ONNX graph, for remote-kserve.test.ts.

In: --model_name, --graph FILE, --json-only, and KServe's own flags such as --http_port.
With --json-only binary tensors are refused, as MLServer does.
"""

import argparse

import numpy as np
import onnxruntime
from kserve import InferOutput, InferResponse, Model, ModelServer, model_server
from kserve.errors import InvalidInput

datatypes = {"tensor(float)": "FP32", "tensor(int64)": "INT64"}


class OnnxModel(Model):
    def __init__(self, name, graph, json_only):
        super().__init__(name)
        self.session = onnxruntime.InferenceSession(graph, providers=["CPUExecutionProvider"])
        self.json_only = json_only
        self.ready = True

    def get_input_types(self):
        return [self.describe(tensor) for tensor in self.session.get_inputs()]

    def get_output_types(self):
        return [self.describe(tensor) for tensor in self.session.get_outputs()]

    def describe(self, tensor):
        shape = [size if isinstance(size, int) else -1 for size in tensor.shape]
        return {"name": tensor.name, "datatype": datatypes[tensor.type], "shape": shape}

    def predict(self, payload, headers=None, response_headers=None):
        if self.json_only and "binary_data_size" in (payload.inputs[0].parameters or {}):
            raise InvalidInput("this server takes no binary tensors")
        wanted = [output.name for output in payload.request_outputs]
        inputs = {tensor.name: tensor.as_numpy() for tensor in payload.inputs}
        outputs = []
        for name, values in zip(wanted, self.session.run(wanted, inputs), strict=True):
            output = InferOutput(name=name, shape=list(values.shape), datatype="FP32")
            output.set_data_from_numpy(values.astype(np.float32), binary_data=not self.json_only)
            outputs.append(output)
        return InferResponse(
            response_id=payload.id,
            model_name=self.name,
            infer_outputs=outputs,
            requested_outputs=payload.request_outputs,
            use_binary_outputs=payload.use_binary_outputs,
        )


if __name__ == "__main__":
    parser = argparse.ArgumentParser(parents=[model_server.parser], conflict_handler="resolve")
    parser.add_argument("--graph", required=True)
    parser.add_argument("--json-only", action="store_true")
    given = parser.parse_args()
    server = ModelServer(http_port=given.http_port, workers=1, enable_grpc=False)
    server.start([OnnxModel(given.model_name, given.graph, given.json_only)])
