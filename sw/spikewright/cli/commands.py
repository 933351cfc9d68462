"""The commands, in the order of the pipeline. These modules import the rooms only when they run."""

from spikewright.cli import (
    asic,
    checkpoints,
    completion,
    configs,
    data,
    demo,
    doctor,
    evaluate,
    explore,
    export,
    generate,
    import_,
    quantize,
    report,
    simulate,
    sweep,
    synth,
    train,
    view,
)

COMMANDS = (
    *(
        data,
        train,
        import_,
        export,
        sweep,
        report,
        evaluate,
        quantize,
        view,
        explore,
        generate,
        simulate,
        synth,
        asic,
        demo,
    ),
    *(configs, checkpoints, doctor, completion),
)
