"""Import, train, evaluate, judge and export the models of a plant, one class at a time.

Each step is a container that runs `eugenie` on the plant's folder, a volume claim: site file, exports and workspace.
A new version is exported when the gate finds it no worse than the champion; otherwise the champion stays.

Compile it where the SDK is installed (kfp with its extra `kubernetes`): `python pipeline.py` writes pipeline.yaml
next to it.
"""

from pathlib import Path

from kfp import compiler, dsl, kubernetes

SITE_NAME = "plant"
CLASSES = ["fan.v2", "pump"]

IMAGE = "plant/eugenie:1"
CLAIM, PLANT = "eugenie-plant-plant", "/plant"
SITE = "/plant/site-configs/plant.yaml"
MEMORY, CPU = "8G", "2"

# where the model server finds the models: its own claim, or an object store
MODELS = "/plant/.eugenie/plant/models"
SERVED_CLAIM, SERVED = "eugenie-plant--serving-models", "/served"
STORE, PUBLISHER = None, None
PLACE = "/models"  # the name of that place in the list of released versions
STORE_SETTINGS = {}
STORE_SECRET = None
STORE_SECRET_KEYS = []

TRAIN = """\
mkdir -p "$(dirname "$2")"
eugenie train --site "$0" --class "$1" --output json > /tmp/trained.json
python -c "import json; print(json.load(open('/tmp/trained.json'))[0]['version'], end='')" > "$2"
"""
EVALUATE = """\
mkdir -p "$(dirname "$4")"
eugenie evaluate "$1" --site "$0" --model-version champion --candidate "$2" ${3:+--labels "$3"} --output json > "$4"
"""
GATE = """\
mkdir -p "$(dirname "$1")"
python -m eugenie_cli.evaluation.promotion_gate "$0" > "$1"
"""
EXPORT = """\
export EUGENIE_MODEL_STORE=off
eugenie models promote --site "$0" "$1" "$2"
eugenie export --site "$0" --class "$1"
"""
PUBLISH_TO_CLAIM = """\
if [ ! -d "$1/$2/$3" ]; then
  rm -rf "$1/.staged-$2-$3"
  mkdir -p "$1/$2"
  cp -R "$0/$2/$3" "$1/.staged-$2-$3"
  mv "$1/.staged-$2-$3" "$1/$2/$3"
fi
sed "s|base_path: \\".*/|base_path: \\"$4/|" "$0/models.config" > "$1/.models.config"
mv "$1/.models.config" "$1/models.config"
"""
PUBLISH_TO_STORE = """\
rclone copy "$0/$2/$3" "$1/$2/$3"
sed "s|base_path: \\".*/|base_path: \\"$4/|" "$0/models.config" > /tmp/models.config
rclone copyto /tmp/models.config "$1/models.config"
"""


def shell(script: str, *arguments: object) -> dsl.ContainerSpec:
    """A step that runs a script; the arguments are its $0, $1 ... The first failing command ends it."""
    return dsl.ContainerSpec(image=IMAGE, command=["sh", "-ec", script], args=list(arguments))


@dsl.container_component
def import_readings():
    """Import what is new in the sources."""
    return dsl.ContainerSpec(image=IMAGE, command=["eugenie", "import", "--site", SITE])


@dsl.container_component
def train(class_name: str, version: dsl.OutputPath(int)):
    """Train a version of the class: the first becomes champion, later ones challengers."""
    return shell(TRAIN, SITE, class_name, version)


@dsl.container_component
def evaluate(
    class_name: str,
    version: int,
    labels: str,
    evaluation: dsl.Output[dsl.Artifact],
):
    """Evaluate the champion and the new version on the same rows, on which neither was trained."""
    return shell(EVALUATE, SITE, class_name, version, labels, evaluation.path)


@dsl.container_component
def gate(evaluation: dsl.Input[dsl.Artifact], decision: dsl.OutputPath(str)):
    """Decide: `promote` or `keep`; the log says why."""
    return shell(GATE, evaluation.path, decision)


@dsl.container_component
def export(class_name: str, version: int):
    """Make the version champion, and publish it as a SavedModel in the workspace only; the next step does the rest."""
    return shell(EXPORT, SITE, class_name, version)


@dsl.container_component
def publish(class_name: str, version: int):
    """Copy the version to where the model server finds it, and then the list of released versions."""
    if STORE is None:
        return shell(PUBLISH_TO_CLAIM, MODELS, SERVED, class_name, version, PLACE)
    arguments = [MODELS, STORE, class_name, version, PLACE]
    return dsl.ContainerSpec(image=PUBLISHER, command=["sh", "-ec", PUBLISH_TO_STORE], args=arguments)


def on_the_plant(task: dsl.PipelineTask) -> dsl.PipelineTask:
    """Mount the plant's folder, and disable caching: the readings in it are an input that Kubeflow does not see."""
    kubernetes.mount_pvc(task, pvc_name=CLAIM, mount_path=PLANT)
    kubernetes.set_security_context(task, run_as_user=10001, run_as_group=10001)
    return task.set_caching_options(False).set_memory_limit(MEMORY).set_cpu_request(CPU)


def reach_the_server(task: dsl.PipelineTask) -> None:
    """Mount the server's claim, or set what the store needs."""
    if SERVED_CLAIM is not None:
        kubernetes.mount_pvc(task, pvc_name=SERVED_CLAIM, mount_path=SERVED)
    for name, value in STORE_SETTINGS.items():
        task.set_env_variable(name, value)
    if STORE_SECRET is not None:
        kubernetes.use_secret_as_env(task, STORE_SECRET, {key: key for key in STORE_SECRET_KEYS})


@dsl.pipeline(name="eugenie-plant", description=f"Anomaly models of {SITE_NAME}")
def pipeline(labels: str = ""):
    """`labels`: a CSV file of known faults, a path in the plant's folder as the steps see it; empty: none."""
    before = on_the_plant(import_readings())
    for class_name in CLASSES:
        trained = on_the_plant(train(class_name=class_name)).after(before)
        version = trained.outputs["version"]
        evaluated = on_the_plant(evaluate(class_name=class_name, version=version, labels=labels))
        judged = gate(evaluation=evaluated.outputs["evaluation"])
        with dsl.If(judged.set_caching_options(False).outputs["decision"] == "promote"):
            exported = on_the_plant(export(class_name=class_name, version=version))
            reach_the_server(on_the_plant(publish(class_name=class_name, version=version)).after(exported))
        before = evaluated


if __name__ == "__main__":
    compiler.Compiler().compile(pipeline, str(Path(__file__).with_name("pipeline.yaml")))
