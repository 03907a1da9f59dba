//! Where the architectures of the BERT family differ: names of tensors, the place of the first token, types of tokens, a bias of attention, the head.

use millstream_hal::UnaryOp;

/// One of the family.
pub(crate) struct Family {
    /// What stands before the encoder's names in a file that has more than the encoder.
    pub(crate) prefix: &'static str,
    /// What stands before the number of a layer.
    pub(crate) layers: &'static str,
    pub(crate) layer: Names,
    pub(crate) first: First,
    pub(crate) types: Types,
    /// The tensor of the bias of attention by relative position, which all layers share.
    pub(crate) relative: Option<&'static str>,
    pub(crate) head: HeadNames,
}

/// The tensors of a layer: products, then what normalises.
pub(crate) struct Names {
    pub(crate) query: &'static str,
    pub(crate) key: &'static str,
    pub(crate) value: &'static str,
    pub(crate) output: &'static str,
    pub(crate) output_norm: &'static str,
    pub(crate) up: &'static str,
    pub(crate) down: &'static str,
    pub(crate) down_norm: &'static str,
}

/// Place of the first token.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum First {
    /// 0, and one more for each token.
    Zero,
    /// Behind the number of the padding token that `config.json` names. Padding tokens inside a text have that number as their place and are not counted.
    BehindPadding,
    /// The same with this number, whatever `config.json` names.
    Behind(i64),
}

/// Embeddings of the type of a token: which text of a pair it belongs to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Types {
    /// As the tokenizer says.
    Given,
    /// Every token is of the first type.
    First,
    /// There are none.
    None,
}

/// The head of a cross-encoder, by its whole names: a product with an activation, then one to the labels.
pub(crate) struct HeadNames {
    pub(crate) dense: &'static str,
    pub(crate) activation: UnaryOp,
    pub(crate) out: &'static str,
}

const BERT_LAYER: Names = Names {
    query: "attention.self.query",
    key: "attention.self.key",
    value: "attention.self.value",
    output: "attention.output.dense",
    output_norm: "attention.output.LayerNorm",
    up: "intermediate.dense",
    down: "output.dense",
    down_norm: "output.LayerNorm",
};

/// Devlin and others 2018.
pub(crate) static BERT: Family = Family {
    prefix: "bert.",
    layers: "encoder.layer",
    layer: BERT_LAYER,
    first: First::Zero,
    types: Types::Given,
    relative: None,
    head: HeadNames { dense: "bert.pooler.dense", activation: UnaryOp::Tanh, out: "classifier" },
};

/// Liu and others 2019; XLM-RoBERTa (Conneau and others 2020) is the same with another vocabulary.
pub(crate) static ROBERTA: Family = Family {
    prefix: "roberta.",
    layers: "encoder.layer",
    layer: BERT_LAYER,
    first: First::BehindPadding,
    types: Types::First,
    relative: None,
    head: HeadNames { dense: "classifier.dense", activation: UnaryOp::Tanh, out: "classifier.out_proj" },
};

/// Song and others 2020.
pub(crate) static MPNET: Family = Family {
    prefix: "mpnet.",
    layers: "encoder.layer",
    layer: Names {
        query: "attention.attn.q",
        key: "attention.attn.k",
        value: "attention.attn.v",
        output: "attention.attn.o",
        output_norm: "attention.LayerNorm",
        ..BERT_LAYER
    },
    first: First::Behind(1),
    types: Types::None,
    relative: Some("encoder.relative_attention_bias.weight"),
    head: HeadNames { dense: "classifier.dense", activation: UnaryOp::Tanh, out: "classifier.out_proj" },
};

/// Sanh and others 2019.
pub(crate) static DISTILBERT: Family = Family {
    prefix: "distilbert.",
    layers: "transformer.layer",
    layer: Names {
        query: "attention.q_lin",
        key: "attention.k_lin",
        value: "attention.v_lin",
        output: "attention.out_lin",
        output_norm: "sa_layer_norm",
        up: "ffn.lin1",
        down: "ffn.lin2",
        down_norm: "output_layer_norm",
    },
    first: First::Zero,
    types: Types::None,
    relative: None,
    head: HeadNames { dense: "pre_classifier", activation: UnaryOp::Relu, out: "classifier" },
};
